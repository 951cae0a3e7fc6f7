import { Registry } from '../common/registry.js';
import type { CircuitBreakerHost } from './circuit-breaker.host.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';

/** The circuit breakers of an application: the named ones, and those that decorators made inline. */
export class CircuitBreakerRegistry extends Registry<CircuitBreakerPolicy> {
  /** @internal */
  constructor(
    private readonly hostFor: (name: string) => CircuitBreakerHost,
    onLeft: (name: string) => void = () => undefined,
  ) {
    super('circuit breaker', 'breakers', onLeft);
  }

  /**
   * @throws ResilienceConfigurationError where the options are wrong or the name is taken
   * @internal
   */
  define(name: string, options: CircuitBreakerOptions, place: string): CircuitBreakerPolicy {
    resolveCircuitBreakerOptions(place, checkCircuitBreakerOptions(place, options)); // with the place in the message
    return this.add(new CircuitBreakerPolicy(name, options, this.hostFor(name)), place);
  }
}
