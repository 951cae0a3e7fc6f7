import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { KeyedDecorator } from '../dispatch/decorator-types.js';
import {
  type ByKeyOptions,
  type Keyable,
  type KeyFunction,
  named,
} from '../stage/keyed.options.js';
import type { CallWeight, RateLimitOptions } from './rate-limit.options.js';

/**
 * Limits how many calls begin in a time, as a partner's quota allows: further ones wait for their turn, or are
 * rejected with a `RateLimitedError`.
 *
 * @param name of one in `rateLimits` of the module, which is shared by all who name it
 * @param keyed `{ key }`: each key has one of its own in the place of the one of the name. Equal keys of
 * different operations share it.
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@RateLimit('partner', { key: (tenant: string) => tenant })
 *   async charge(tenant: string): Promise<void> {}
 * }
 */
export function RateLimit<Key extends KeyFunction = KeyFunction>(
  name: string,
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key>;
/**
 * Limits how many calls begin in a time, as a partner's quota allows: further ones wait for their turn, or are
 * rejected with a `RateLimitedError`.
 *
 * @param options of one of the method's own, named `ClassName.method`;
 * what they leave out, `defaults.rateLimit` or the class's decorator says
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@RateLimit({ limit: 100, intervalMs: 1_000 })
 *   async charge(): Promise<void> {}
 * }
 */
export function RateLimit<
  Key extends KeyFunction = KeyFunction,
  Weight extends CallWeight = CallWeight,
>(options?: Keyable<Partial<RateLimitOptions<Weight>>, Key>): KeyedDecorator<Key, Weight>;
/**
 * Limits how many calls begin in a time, as a partner's quota allows: further ones wait for their turn, or are
 * rejected with a `RateLimitedError`.
 *
 * @param rateLimit the name of one in `rateLimits`, which is shared, or options of one of the method's own
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@RateLimit({ limit: 100, intervalMs: 1_000 })
 *   async charge(): Promise<void> {}
 * }
 */
export function RateLimit<
  Key extends KeyFunction = KeyFunction,
  Weight extends CallWeight = CallWeight,
>(rateLimit: string | Keyable<Partial<RateLimitOptions<Weight>>, Key>): KeyedDecorator<Key, Weight>;
export function RateLimit(
  rateLimit: string | Keyable<Partial<RateLimitOptions>> = {},
  keyed?: ByKeyOptions,
): KeyedDecorator<KeyFunction> {
  return decorate('rateLimit', named(rateLimit, keyed));
}

/** The injection token of the named rate limit, a `RateLimitPolicy`. */
export function getRateLimitToken(name: string): string {
  return policyToken('rateLimit', name);
}

/**
 * Injects the named rate limit, a `RateLimitPolicy`; of one that is kept by key all of them, a
 * `KeyedPolicies<RateLimitPolicy>`. An unknown name fails the boot.
 *
 * @example
 * class Orders {
 *   constructor(@InjectRateLimit('partner') readonly policy: RateLimitPolicy) {}
 * }
 */
export function InjectRateLimit(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getRateLimitToken(name), '@InjectRateLimit()');
}
