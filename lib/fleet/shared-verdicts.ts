/** What the fleet has decided of a circuit breaker, as it stands at this moment. */
export interface Verdict {
  /** Greater than that of every verdict before it; 0 where nothing has been decided. */
  readonly generation: number;
  /** Whether the breaker is open for all instances. */
  readonly isOpen: boolean;
  /** How long it stays open from now on, in ms; 0 when it is time for probes, and while it is closed. */
  readonly leftMs: number;
  /** What the next open time grows from where probes fail, in ms: it is without jitter. 0 while it is closed. */
  readonly baseMs: number;
}

/** How long a breaker is to stay open. */
export interface OpenSpan {
  /** From now on, in ms. */
  readonly openMs: number;
  /** What the next one grows from, in ms. */
  readonly baseMs: number;
}

/** That an instance has opened a breaker by itself. */
export interface Vote extends OpenSpan {
  /** So many instances have to be open at a time, each by itself, until all are. */
  readonly quorum: number;
  /** The last generation that it knows of. */
  readonly seen: number;
}

/** Which probe: of which verdict, and which of its calls. */
export interface ProbePermit {
  /** Which opening of the breaker it is for. */
  readonly generation: number;
  /** Unlike that of any other probe. */
  readonly token: string;
}

/** What a call asks that wants to be a probe. */
export interface LeaseRequest extends ProbePermit {
  /** So many probes run at a time, of all instances together. */
  readonly maxPermits: number;
  /** One that has not ended after so many ms makes room for another. */
  readonly ttlMs: number;
  /** For so long after it was time for probes, in ms, the instance gets no permit whose probe failed last. */
  readonly lockoutMs: number;
}

/** Whether it may be one. */
export interface Lease {
  /** Whether the instance may probe. */
  readonly isGranted: boolean;
  /** Where it is not: when it is worth asking again, in ms. */
  readonly retryAfterMs: number;
  /** How the breaker stands after it. */
  readonly verdict: Verdict;
}

/** How a probe went. */
export type ProbeReport =
  | {
      /** How it went. */
      readonly outcome: 'success';
      /** So many successes, of all instances together, close the breaker. */
      readonly successThreshold: number;
    }
  | ({
      /** How it went. */
      readonly outcome: 'failure';
    } & OpenSpan)
  /** It says nothing: its permit is free for another. */
  | {
      /** How it went. */
      readonly outcome: 'nothing';
    };

/**
 * The circuit breakers that instances share, each by its name. Every step is atomic, and answers with the
 * verdict as it is after it; a new one is told to all instances. Time is the store's alone.
 */
export interface SharedVerdicts {
  /** How a breaker stands; `undefined` where nothing is known of it. */
  read(breaker: string): Promise<Verdict | undefined>;
  /**
   * Counts until its `openMs` have passed, once for each instance. Where the breaker is not open, or it is
   * time for probes, the last vote of a quorum opens it, by its own span.
   */
  vote(breaker: string, vote: Vote): Promise<Verdict | undefined>;
  /** Asks for a permit of a breaker whose open time has passed, where it is still of this generation. */
  lease(breaker: string, request: LeaseRequest): Promise<Lease | undefined>;
  /**
   * Gives a permit back. One of another generation, or which was given back before, changes nothing; one
   * whose time has passed still counts, however late.
   */
  report(breaker: string, permit: ProbePermit, report: ProbeReport): Promise<Verdict | undefined>;
  /** Closes it for all, because somebody has said so. @param seen the last generation that is known */
  close(breaker: string, seen: number): Promise<Verdict | undefined>;
  /**
   * Tells of each new verdict about a breaker.
   *
   * @returns ends that: it is told no more
   */
  listen(breaker: string, told: (verdict: Verdict) => void): () => void;
}
