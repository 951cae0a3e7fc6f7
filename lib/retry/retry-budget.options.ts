import { checkerOf, duration, nonNegative } from '../common/options.js';

/**
 * How many retries the calls to a dependency may add to its load: over the window, at most
 * `ratio` × first attempts + `minRetriesPerSecond` × window. They are spent evenly: in a second at most
 * twice their share, in a quarter of the window 1.2 times, but the first 50 of a window (no more than half
 * of its floor) may come at once.
 */
export interface RetryBudgetOptions {
  /** Retries for each first attempt. @default 0.2 */
  ratio?: number;
  /** So many are allowed however few calls there are, in this process. 0 allows none. @default 10 */
  minRetriesPerSecond?: number;
  /** In ms. @default 10000 */
  windowMs?: number;
}

/** @throws ResilienceConfigurationError */
export const checkRetryBudgetOptions = checkerOf<RetryBudgetOptions>({
  ratio: nonNegative,
  minRetriesPerSecond: nonNegative,
  windowMs: duration,
});

export function resolveRetryBudgetOptions(
  options: RetryBudgetOptions,
): Required<RetryBudgetOptions> {
  return { ratio: 0.2, minRetriesPerSecond: 10, windowMs: 10_000, ...options };
}
