/** What the fleet has decided of a circuit breaker. */
export interface Verdict {
  /** Greater than that of every verdict before it. */
  readonly generation: number;
  readonly isOpen: boolean;
  /** How long it stays open from now on, in ms; 0 when it is time for probes, and while it is closed. */
  readonly leftMs: number;
}

/** The circuit breakers that instances share, each by its name. */
export interface SharedVerdicts {
  /** Told of what was decided elsewhere. */
  listen(told: (breaker: string, verdict: Verdict) => void): void;
}
