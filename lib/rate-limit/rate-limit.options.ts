import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { type Mode, modeRule } from '../common/mode.js';
import {
  boolean,
  countOrZero,
  duration,
  durationOrZero,
  positiveCount,
  predicate,
} from '../common/option-rules.js';
import { checkerOf } from '../common/options.js';

/** What a call counts for, by its arguments. */
export type CallWeight = (...args: never[]) => number;

/** How many calls may begin in a time. */
export interface RateLimitOptions<Weight extends CallWeight = CallWeight> {
  /** How many calls may begin in an interval, at least 1. They are spread evenly; see `burst`. */
  limit: number;
  /** How long an interval is, in ms. @default 1000 */
  intervalMs?: number;
  /**
   * How many calls may begin at once after a pause, at least 1. In any time, no more begin than its share of
   * the limit and a burst; where the partner counts strictly, have the two together make its quota. A burst
   * of 1 spaces calls, and is too little for some hundred a second: timers are exact to a ms at best.
   * @default the limit
   */
  burst?: number;
  /**
   * How long a call may wait for its turn, in ms; one whose turn comes later is refused at once. 0 lets none
   * wait. @default 0
   */
  maxWaitMs?: number;
  /**
   * How many calls wait for their turn, with `maxWaitMs`. Critical calls have theirs before the rest, those
   * of `@Critical(false)` after it; first in, first out among equals. In a full queue a critical call takes
   * the place of the youngest of `@Critical(false)`.
   * @default 100
   */
  queueLimit?: number;
  /**
   * What a call counts for, by its arguments: above 0 and at most `burst`. Whatever else it answers, and
   * what it throws, fails the call by a `ResilienceConfigurationError`. Of calls by `execute()` it gets no
   * arguments.
   * @default 1
   */
  weight?: Weight;
  /**
   * Whether the partner is heard: a 429, or a 503 with `Retry-After`, stops all callers until the time that
   * it names, by `Retry-After`, `RateLimit` (with `RateLimit-Policy`), `RateLimit-Reset` or
   * `X-RateLimit-Reset`. So does such an answer that was not thrown but returned (a `Response`, or whatever
   * has a `status` and `headers`), and a success after which nothing is left of the quota. Then one begins,
   * and more at the rate of the limit. Without such a header nothing is stopped, and a time of more than a
   * day is taken for a day.
   * @default false
   */
  adaptToResponses?: boolean;
  /**
   * Whether the limit is that of all instances together, by its name: they take calls out of one bucket, some
   * ahead (`fleet.rateLimitLeaseMs`). No call waits for that: an instance that has none left lets in its even
   * share of what the bucket is known to hold, but at least one call, before it is charged. In any time all
   * together let in their share of the limit and a burst, and what they have taken ahead. Where they do not
   * hear of each other each goes by its even share of limit and burst (at least a burst of one call), and so
   * another burst may come on top; where only some do not, these go by their even shares beside the others,
   * who share the whole limit. One that has never heard of others is alone as far as it knows. A pause that one is told (`adaptToResponses`) holds for all. What
   * `setLimit()` says holds for calls of this instance: each takes the part of the time that its limit says.
   * It needs `fleet` in `forRoot()`.
   * @default false
   */
  shared?: boolean;
  /**
   * In `shadow` it lets all in at once, and tells which calls it would have refused (`would-reject`) and how
   * many would have waited (`getSnapshot()`), which take their tokens ahead. So where it acts from some moment
   * on, what these took comes in first. A pause (`adaptToResponses`) is told, and stops nobody. One that is
   * `shared` goes by its even share, and takes nothing from the fleet.
   * @default `defaults.mode`, or enforce
   */
  mode?: Mode;
}

/** The options in force. */
export type ResolvedRateLimitOptions = RateLimitOptions &
  Required<Omit<RateLimitOptions, 'weight' | 'shared' | 'mode'>>;

/** @throws ResilienceConfigurationError */
export const checkRateLimitOptions = checkerOf<Partial<RateLimitOptions>>(
  {
    limit: positiveCount,
    intervalMs: duration,
    burst: positiveCount,
    maxWaitMs: durationOrZero,
    queueLimit: countOrZero,
    weight: predicate,
    adaptToResponses: boolean,
    shared: boolean,
    mode: modeRule,
  },
  'limit',
);

/** @throws ResilienceConfigurationError where none of the layers has a limit */
export function resolveRateLimitOptions(
  place: string,
  given: Partial<RateLimitOptions>,
): ResolvedRateLimitOptions {
  const { limit } = given;
  if (limit === undefined) {
    throw new ResilienceConfigurationError(
      `${place}.limit`,
      'is missing; allowed: how many calls may begin in an interval, here or in defaults.rateLimit',
    );
  }
  return {
    intervalMs: 1_000,
    burst: limit,
    maxWaitMs: 0,
    queueLimit: 100,
    adaptToResponses: false,
    ...given,
    limit,
  };
}
