import { fractionDoubt } from '../common/options.js';
import { Registry } from '../common/registry.js';
import type { NamedInstances } from '../stage/named-instances.js';
import { breakerHealth } from './circuit-breaker.health.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  mergeCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';

/** The circuit breakers of an application: the named ones, and those that decorators made inline. */
export class CircuitBreakerRegistry extends Registry<CircuitBreakerPolicy> {}

/** How circuit breakers are named and made. */
export const BREAKERS: NamedInstances<CircuitBreakerPolicy, CircuitBreakerOptions> = {
  stage: 'circuitBreaker',
  title: 'circuit breaker',
  section: 'breakers',
  policy: CircuitBreakerPolicy,
  registry: CircuitBreakerRegistry,
  check: checkCircuitBreakerOptions,
  instead: (number) => `{ failureThreshold: ${number} }`,
  merge: mergeCircuitBreakerOptions,
  resolve: resolveCircuitBreakerOptions,
  make: (name, options, host) => new CircuitBreakerPolicy(name, options, host),
  snapshot: (breaker) => breaker.getSnapshot(),
  health: breakerHealth,
  doubts: ({ name, options }) =>
    (['failureRateThreshold', 'slowCallRateThreshold'] as const).flatMap((option) =>
      fractionDoubt(`circuit breaker ${name}`, option, options[option]),
    ),
  left: CircuitBreakerTelemetry.left,
};
