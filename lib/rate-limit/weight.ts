import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { StageAttempt } from '../stage/attempt-stage.js';
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
  const place = `rate limit "${rateLimit}".weight`;
  let weight: unknown;
  try {
    weight = weigh.apply(self, args as never[]);
  } catch (cause) {
    throw new ResilienceConfigurationError(
      place,
      'threw an error, its cause; allowed: to return a number',
      { cause },
    );
  }
  if (typeof weight === 'number' && weight > 0 && weight <= burst) return weight;
  Promise.resolve(weight).catch(() => undefined); // the rejection of a promise is nobody else's
  throw new ResilienceConfigurationError(
    place,
    `returned ${display(weight)}; allowed: at once a number above 0 and at most the burst, ${burst}`,
  );
}
