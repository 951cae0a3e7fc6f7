import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { KeyedDecorator } from '../dispatch/decorator-types.js';
import {
  type ByKeyOptions,
  type Keyable,
  type KeyFunction,
  named,
} from '../stage/keyed.options.js';
import type { CircuitBreakerOptions } from './circuit-breaker.options.js';

/**
 * Stops calling what keeps failing: an open breaker rejects calls with a `CircuitBreakerOpenError` until a probe
 * succeeds. It counts each attempt of a retry.
 *
 * @param name of one in `breakers` of the module, which is shared by all who name it
 * @param keyed `{ key }`: each key has one of its own in the place of the one of the name. Equal keys of
 * different operations share it.
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@CircuitBreaker('partner', { key: (tenant: string) => tenant })
 *   async charge(tenant: string): Promise<void> {}
 * }
 */
export function CircuitBreaker<Key extends KeyFunction = KeyFunction>(
  name: string,
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key>;
/**
 * Stops calling what keeps failing: an open breaker rejects calls with a `CircuitBreakerOpenError` until a probe
 * succeeds. It counts each attempt of a retry.
 *
 * @param options of one of the method's own, named `ClassName.method`
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@CircuitBreaker({ failureThreshold: 5, timeoutMs: 30_000 })
 *   async charge(): Promise<void> {}
 * }
 */
export function CircuitBreaker<Key extends KeyFunction = KeyFunction>(
  options?: Keyable<CircuitBreakerOptions, Key>,
): KeyedDecorator<Key>;
/**
 * Stops calling what keeps failing: an open breaker rejects calls with a `CircuitBreakerOpenError` until a probe
 * succeeds. It counts each attempt of a retry.
 *
 * @param breaker the name of one in `breakers`, which is shared, or options of one of the method's own
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@CircuitBreaker({ failureThreshold: 5, timeoutMs: 30_000 })
 *   async charge(): Promise<void> {}
 * }
 */
export function CircuitBreaker<Key extends KeyFunction = KeyFunction>(
  breaker: string | Keyable<CircuitBreakerOptions, Key>,
): KeyedDecorator<Key>;
export function CircuitBreaker<Key extends KeyFunction = KeyFunction>(
  breaker: string | Keyable<CircuitBreakerOptions, Key> = {},
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key> {
  return decorate('circuitBreaker', named(breaker, keyed));
}

/** The injection token of the named breaker, a `CircuitBreakerPolicy`. */
export function getCircuitBreakerToken(name: string): string {
  return policyToken('circuitBreaker', name);
}

/**
 * Injects the named breaker, a `CircuitBreakerPolicy`; of one that is kept by key all of them, a
 * `KeyedPolicies<CircuitBreakerPolicy>`. An unknown name fails the boot.
 *
 * @example
 * class Orders {
 *   constructor(@InjectCircuitBreaker('payments') readonly policy: CircuitBreakerPolicy) {}
 * }
 */
export function InjectCircuitBreaker(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getCircuitBreakerToken(name), '@InjectCircuitBreaker()');
}
