import {
  boolean,
  duration,
  nonNegative,
  positiveCount,
  predicate,
} from '../common/option-rules.js';
import { checkerOf } from '../common/options.js';
import type { KeyedReference, KeyFunction } from '../stage/keyed.options.js';

/**
 * How many retries the calls to a dependency may add to its load: over the window, at most
 * `ratio` × first attempts + `minRetriesPerSecond` × window. They are spent evenly: in a second at most
 * twice their share, in a quarter of the window 1.2 times, but the first 50 of a window (no more than half
 * of its floor) may come at once.
 */
export interface RetryBudgetOptions {
  /** Retries for each first attempt. @default 0.2 */
  ratio?: number;
  /** So many are allowed however few calls there are, in this process, or in all with `shared`. 0 allows none. @default 10 */
  minRetriesPerSecond?: number;
  /** In ms. @default 10000 */
  windowMs?: number;
  /**
   * Whether `minRetriesPerSecond` is that of all instances together: each has its even share of it, by how many
   * there are at the time. (What the ratio allows adds up by itself.) Where it does not hear of the others, it
   * goes by as many as there were last. It needs `fleet` in `forRoot()`.
   * @default false
   */
  shared?: boolean;
  /** Each key has a budget of its own: one tenant's outage cannot use up the retries of others. @default one for all calls */
  key?: KeyFunction;
  /** So many are kept; see `KeyedOptions`. @default 1000 */
  maxKeys?: number;
  /** One that has been idle for so long is forgotten, in ms. @default 600000 */
  idleMs?: number;
}

/** One of those in `retryBudgets`, by key. */
export type RetryBudgetByKey = KeyedReference;

/** The options in force of one budget. */
export type ResolvedRetryBudgetOptions = Required<
  Pick<RetryBudgetOptions, 'ratio' | 'minRetriesPerSecond' | 'windowMs'>
> &
  Pick<RetryBudgetOptions, 'shared'>;

/** @throws ResilienceConfigurationError */
export const checkRetryBudgetOptions = checkerOf<RetryBudgetOptions>({
  ratio: nonNegative,
  minRetriesPerSecond: nonNegative,
  windowMs: duration,
  shared: boolean,
  key: predicate,
  maxKeys: positiveCount,
  idleMs: duration,
});

export function resolveRetryBudgetOptions({
  ratio = 0.2,
  minRetriesPerSecond = 10,
  windowMs = 10_000,
  shared,
}: RetryBudgetOptions): ResolvedRetryBudgetOptions {
  const options = { ratio, minRetriesPerSecond, windowMs };
  return shared === undefined ? options : { ...options, shared };
}
