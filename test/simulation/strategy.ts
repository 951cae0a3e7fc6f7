/** Headers that a call carries, by their names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** A request, as the process that has to answer it sees it. */
export interface Inbound {
  /** Whether it matters: known where it enters the system; further in only headers tell. */
  readonly critical: boolean | undefined;
  readonly headers: Headers;
  /** Whom it is for, where that matters. */
  readonly tenant?: number;
  /** Aborted when who asked is gone (an HTTP server hears of it when the connection closes). */
  readonly signal: AbortSignal;
}

/** A call to the next tier. */
export interface Outgoing {
  readonly headers?: Headers;
  /** Ends the call, as `fetch` would: the next tier hears of it, if it listens. */
  readonly signal?: AbortSignal;
  /**
   * For the books only, where a caller stops waiting and tells nobody: what is then done for it is
   * done in vain.
   */
  readonly gaveUp?: AbortSignal;
}

/**
 * Calls the next tier.
 *
 * @throws FailedAnswer, or the reason of the signal
 */
export type Send = (outgoing: Outgoing) => Promise<Answer>;

/** What comes back when all goes well. */
export const ANSWER = 'answer';
export type Answer = typeof ANSWER;

/** An answer that says that it failed, like those that HTTP clients throw. */
export class FailedAnswer extends Error {
  constructor(
    readonly status: number,
    readonly headers: Headers = {},
  ) {
    super(`The answer was ${status}`);
  }
}

/** What a strategy has to know about where it runs. */
export interface Setting {
  /** What an attempt may take. */
  readonly timeoutMs: number;
  /** What the whole request may take, where there is a limit. */
  readonly budgetMs: number | undefined;
  /** How many calls a process should have out at a time, and how many may wait, where it limits them. */
  readonly maxConcurrent: number;
  readonly queueLimit: number;
  /** A time in which a process makes at least a dozen calls, where a breaker wants to know. */
  readonly windowMs: number;
  /** What a retry budget allows each process however little goes on. */
  readonly minRetriesPerSecond: number;
  /** How many calls a process may make a second, where it keeps to a quota. */
  readonly callsPerSecond?: number;
  /** Whether requests are for tenants, of which each may be sick alone. */
  readonly hasTenants?: boolean;
}

/** Attempts in all, for every strategy that retries. */
export const ATTEMPTS = 4;

/** One process that calls the next tier, with all the state that it has. */
export interface Caller {
  /**
   * Answers a request by calling the next tier.
   *
   * @returns `ANSWER`; anything else (a fallback, `null`) is no success
   */
  call(request: Inbound, send: Send): Promise<unknown>;
  close?(): Promise<void> | void;
}

/** A way of calling that may fail. */
export interface Strategy {
  /** For the command line. */
  readonly id: string;
  readonly title: string;
  /** The only scenario in which it is different from another. @default it is of interest in all */
  readonly only?: string;
  /** Starts a process. */
  open(setting: Setting): Caller | Promise<Caller>;
}
