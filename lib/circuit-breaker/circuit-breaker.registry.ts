import { fractionDoubt } from '../common/options.js';
import { type NamedInstances, PolicyRegistry } from '../stage/named-instances.js';
import { breakerHealth } from './circuit-breaker.health.js';
import type { CircuitBreakerHost } from './circuit-breaker.host.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  mergeCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';

/** The circuit breakers of an application: the named ones, and those that decorators made inline. */
export class CircuitBreakerRegistry extends PolicyRegistry<
  CircuitBreakerPolicy,
  CircuitBreakerOptions,
  CircuitBreakerHost
> {
  /** @internal */
  constructor(hostFor: (name: string) => CircuitBreakerHost, onLeft?: (name: string) => void) {
    super(BREAKERS, hostFor, onLeft);
  }
}

/** How circuit breakers are named and made. */
export const BREAKERS: NamedInstances<
  CircuitBreakerPolicy,
  CircuitBreakerOptions,
  CircuitBreakerHost
> = {
  stage: 'circuitBreaker',
  title: 'circuit breaker',
  section: 'breakers',
  policy: CircuitBreakerPolicy,
  needs: 'acquire',
  registry: CircuitBreakerRegistry,
  check: checkCircuitBreakerOptions,
  instead: (number) => `{ failureThreshold: ${number} }`,
  merge: mergeCircuitBreakerOptions,
  resolve: resolveCircuitBreakerOptions,
  make: (name, options, host) => new CircuitBreakerPolicy(name, options, host),
  host: (name, application) => ({
    ...application,
    observer: new CircuitBreakerTelemetry(name, application),
  }),
  snapshot: (breaker) => breaker.getSnapshot(),
  health: breakerHealth,
  doubts: ({ name, options }) =>
    (['failureRateThreshold', 'slowCallRateThreshold'] as const).flatMap((option) =>
      fractionDoubt(`circuit breaker ${name}`, option, options[option]),
    ),
  left: (name, application) => CircuitBreakerTelemetry.left(name, application),
};
