import type { Call } from '../lab/case.js';

/** What we compare. */
export type Pattern =
  | 'fullStack'
  /** What comes nearest to it, where a peer has not all of it. */
  | 'partialStack'
  | 'retry'
  | 'circuitBreaker'
  | 'timeout'
  | 'bulkhead'
  | 'fallback'
  | 'openBreaker';

/** Puts a pattern, as the peer has it, around something to call. */
export type Protect = (work: Call) => Call | Promise<Call>;

/** Another library, with the patterns that it has. */
export interface Peer {
  readonly name: string;
  readonly patterns: Partial<Record<Pattern, Protect>>;
}
