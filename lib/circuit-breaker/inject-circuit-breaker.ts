import { injectPolicy, policyToken } from '../common/tokens.js';

/** The injection token of the named breaker, a `CircuitBreakerPolicy`. */
export function getCircuitBreakerToken(name: string): string {
  return policyToken('circuitBreaker', name);
}

/** Injects the named breaker, a `CircuitBreakerPolicy`. An unknown name fails the boot. */
export function InjectCircuitBreaker(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getCircuitBreakerToken(name), '@InjectCircuitBreaker()');
}
