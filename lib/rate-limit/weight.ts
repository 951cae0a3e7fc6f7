import type { StageAttempt } from '../attempt/attempt-stage.js';
import { drop, isPromise } from '../common/answers.js';
import {
  display,
  displayThrown,
  ResilienceConfigurationError,
} from '../common/configuration.error.js';
import type { RateLimitOptions } from './rate-limit.options.js';

/**
 * What a call counts for.
 *
 * @throws ResilienceConfigurationError where the function throws, or answers what is no weight
 */
export function weightOf(
  weigh: NonNullable<RateLimitOptions['weight']>,
  { self, args }: StageAttempt,
  rateLimit: string,
  burst: number,
): number {
  let weight: unknown;
  try {
    weight = weigh.apply(self, args as never[]);
  } catch (cause) {
    const problem = `threw ${displayThrown(cause)}; it has to answer a number for every call`;
    throw new ResilienceConfigurationError(placeOf(rateLimit), problem, { cause });
  }
  if (typeof weight === 'number' && weight > 0 && weight <= burst) return weight;
  throw new ResilienceConfigurationError(
    placeOf(rateLimit),
    `answered ${shown(weight)}; allowed: a number above 0 and at most ${burst}, the burst`,
  );
}

function placeOf(rateLimit: string): string {
  return `rate limit "${rateLimit}".weight`;
}

function shown(answer: unknown): string {
  if (!isPromise(answer)) return display(answer);
  drop(answer);
  return 'a promise, and has to answer at once';
}
