/** How many calls a rate limit lets begin, as the instance has it that asks. */
export interface TokenRate {
  /** So many calls begin in an interval. */
  readonly limit: number;
  /** How long an interval is, in ms. */
  readonly intervalMs: number;
  /** So many may begin at once after a pause. */
  readonly burst: number;
}

/** What an instance takes out of the bucket of all. */
export interface TokenRequest {
  /**
   * What it has left of what it took before, which goes back first. Below 0 it is what the instance has let
   * in ahead, which is taken whatever there is.
   */
  readonly balance: number;
  /** So many it takes, where there are so many, and else as many as there are. Whole. */
  readonly wanted: number;
  /** With fewer it could do nothing, and takes none. */
  readonly atLeast: number;
}

/** What it got. */
export interface TokenLease {
  /** How many tokens it gets. */
  readonly granted: number;
  /** So many whole ones are left. Below 0 where instances have let in more than there were. */
  readonly left: number;
  /** After so many ms there are as many as it needs at least, if nobody takes them; 0 where there are. */
  readonly waitMs: number;
  /** Whether the instance that asked before had another rate by the name. */
  readonly isDisputed: boolean;
}

/**
 * The buckets of the rate limits that instances share, each by its name. A bucket fills up at the rate of who
 * asks; a full one is there wherever nobody has asked for long.
 */
export interface SharedTokens {
  /** Asks for tokens of a rate limit; `undefined` without an answer. */
  lease(rateLimit: string, rate: TokenRate, request: TokenRequest): Promise<TokenLease | undefined>;
  /** Nobody gets any for so long, and one is there after that. All instances are told. */
  pause(rateLimit: string, rate: TokenRate, pauseMs: number): Promise<void>;
  /** Told of how long it is paused from now on, in ms. @returns ends that: it is told no more */
  listen(rateLimit: string, told: (pauseMs: number) => void): () => void;
}
