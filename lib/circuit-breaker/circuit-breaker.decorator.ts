import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { CircuitBreakerOptions } from './circuit-breaker.options.js';

/**
 * Stops calling what keeps failing. It sees each attempt of a retry.
 *
 * @param breaker the name of one in `breakers`, which is shared, or options for one of the method's
 * own, named `ClassName.method`. Checked when the application boots.
 */
export function CircuitBreaker(breaker: string | CircuitBreakerOptions = {}): ResilienceDecorator {
  return decorate('circuitBreaker', breaker);
}

/** The injection token of the named breaker, a `CircuitBreakerPolicy`. */
export function getCircuitBreakerToken(name: string): string {
  return policyToken('circuitBreaker', name);
}

/** Injects the named breaker, a `CircuitBreakerPolicy`. An unknown name fails the boot. */
export function InjectCircuitBreaker(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getCircuitBreakerToken(name), '@InjectCircuitBreaker()');
}
