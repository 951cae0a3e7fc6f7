import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { PolicyKey } from '../common/keyed-policies.js';
import { duration, positiveCount, predicate } from '../common/option-rules.js';
import { checkOptions, type Rules } from '../common/options.js';

/**
 * For how long the last success stands in for calls that fail.
 *
 * @typeParam Key what answers which calls are equal
 */
export interface LastGoodOptions<Key = (...args: never[]) => PolicyKey> {
  /** How old a last success may be to be given, in ms. */
  maxAgeMs: number;
  /**
   * How many successes are kept, each of other arguments; at least 1. The one that was not used for longest
   * goes first. @default 1000
   */
  maxEntries?: number;
  /**
   * Gets the call's arguments; `this` is the object whose method was called. Where it throws, or answers neither
   * a text that is not empty nor a finite number, nothing is kept or given, which is told once in the log.
   *
   * @default that of calls of the same object with equal arguments, where these are primitives, dates, arrays
   * and plain objects. An operation without arguments, one of a request-scoped provider, a bundle and a pipeline
   * have to name their key.
   */
  key?: Key;
}

const RULES: Rules<LastGoodOptions> = {
  maxAgeMs: duration,
  maxEntries: positiveCount,
  key: predicate,
};

/** @throws ResilienceConfigurationError */
export function checkLastGoodOptions(place: string, value: unknown): LastGoodOptions {
  const options = checkOptions<LastGoodOptions>(place, value, RULES);
  if (options.maxAgeMs !== undefined) return options;
  throw new ResilienceConfigurationError(
    `${place}.maxAgeMs`,
    `is missing; allowed: ${duration(undefined, place)}`,
  );
}
