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
  /** How many retries are allowed for each first attempt: 0.2 is one for five; at least 0. @default 0.2 */
  ratio?: number;
  /**
   * How many retries a second are allowed however few calls there are, in this process, or in all with
   * `shared`; 0 allows none. @default 10
   */
  minRetriesPerSecond?: number;
  /** The window in which first attempts and retries are counted, in ms. @default 10000 */
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
  /**
   * How many budgets are kept, at least 1. Where there are more keys, the one that has been idle longest
   * goes. @default 1000
   */
  maxKeys?: number;
  /** How long a budget may be idle until it is forgotten, in ms. @default 600000 */
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
