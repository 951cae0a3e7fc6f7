import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { RateLimitOptions } from './rate-limit.options.js';

/**
 * Limits how many calls begin in a time, as a partner's quota allows.
 *
 * @param rateLimit the name of one in `rateLimits`, which is shared, or options for one of the method's
 * own, named `ClassName.method`; what they leave out, `defaults.rateLimit` or the class's decorator says.
 * Checked when the application boots.
 */
export function RateLimit(rateLimit: string | Partial<RateLimitOptions> = {}): ResilienceDecorator {
  return decorate('rateLimit', rateLimit);
}

/** The injection token of the named rate limit, a `RateLimitPolicy`. */
export function getRateLimitToken(name: string): string {
  return policyToken('rateLimit', name);
}

/** Injects the named rate limit, a `RateLimitPolicy`. An unknown name fails the boot. */
export function InjectRateLimit(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getRateLimitToken(name), '@InjectRateLimit()');
}
