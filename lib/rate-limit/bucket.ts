import type { TokenRate } from '../fleet/shared-tokens.js';

/** Where a rate limit has its tokens from: whoever is let in takes some out. It never waits. */
export interface Bucket {
  /** Tells those that were taken last from those that will be. */
  readonly receipt: number;
  /** @returns whether there were so many, which are gone then */
  take(weight: number, at: number): boolean;
  /** The same of one, for who has waited for it by a timer. */
  takeLate(at: number): boolean;
  /**
   * Takes back what was not used.
   *
   * @param receipt of when it had been taken
   */
  giveBack(weight: number, receipt: number, at: number): void;
  /** How long it takes until there are so many, in ms. */
  waitMs(weight: number, at: number): number;
  /** As many as there are, in whole. */
  available(at: number): number;
  /** Of one that takes them ahead: so many. */
  readonly leased?: number;
  /** Whether a new one would let in no less than it. */
  isLikeNew(at: number): boolean;
  /** It fills up at another rate from now on. */
  change(rate: TokenRate, at: number): void;
  /** Until then nobody has any; then there is no more than one, and others come at the rate of the limit. */
  pause(until: number, at: number): void;
  /** How long that lasts, in ms. */
  pausedMs(at: number): number;
  /** It is used no more. */
  dispose?(): void;
}
