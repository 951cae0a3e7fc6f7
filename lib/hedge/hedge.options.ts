import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { durationOrZero, percentage, positiveCount } from '../common/option-rules.js';
import { check, checkerOf } from '../common/options.js';

/** When a call that is slow to answer is made a second time, beside the first. */
export interface HedgeOptions {
  /**
   * How long the call may be without an answer until it is made a second time, in ms, above 0. Give this or
   * `afterPercentile`.
   */
  delayMs?: number;
  /**
   * The call is made a second time when it takes longer than this percentage of the latest 100 answers did,
   * above 0 and at most 100; 95 for instance. Before there are 10 of them, there is no second call.
   */
  afterPercentile?: number;
  /** How many more calls are made at most, each after another such delay; at least 1. @default 1 */
  maxHedged?: number;
}

/** @throws ResilienceConfigurationError */
export const checkHedgeOptions = checkerOf<HedgeOptions>(
  {
    delayMs: durationOrZero,
    afterPercentile: percentage,
    maxHedged: positiveCount,
  },
  'delayMs',
);

/** The options that a `@Hedge()` argument stands for; a number is `delayMs`. */
export function hedgeArgument(place: string, argument: unknown): HedgeOptions {
  if (typeof argument !== 'number') return checkHedgeOptions(place, argument);
  check(`${place} (delayMs)`, argument, durationOrZero);
  return { delayMs: argument };
}

/** @throws ResilienceConfigurationError unless there is one delay, seen over all layers */
export function resolveHedgeOptions(
  place: string,
  options: HedgeOptions,
): HedgeOptions & { maxHedged: number } {
  const { delayMs, afterPercentile } = options;
  if ((delayMs === undefined) === (afterPercentile === undefined)) {
    throw new ResilienceConfigurationError(
      place,
      `has ${delayMs === undefined ? 'neither delayMs nor afterPercentile' : 'both delayMs and afterPercentile'}; allowed: one of the two`,
    );
  }
  return { maxHedged: 1, ...options };
}
