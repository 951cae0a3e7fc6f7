import { fractionDoubt, mergeEither } from '../common/options.js';
import { Registry } from '../common/registry.js';
import { namedStage } from '../stage/named-catalog.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import { breakerHealth } from './circuit-breaker.health.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { CIRCUIT_BREAKER_METRICS, CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';
import type {
  CircuitState,
  CircuitTransitionDetails,
  CircuitTransitionReason,
} from './circuit-state.js';

/** What is typed of it. */
export interface CircuitBreakerTypes {
  name: 'circuitBreaker';
  policy: CircuitBreakerPolicy;
  error: CircuitBreakerOpenError;
  service: {
    /** Options for a breaker shared under the service's name, or the name of one in `breakers`. */
    circuitBreaker?: CircuitBreakerOptions | string;
  };
  names: {
    /** Circuit breakers, for `@CircuitBreaker(name)` and `@InjectCircuitBreaker(name)`. */
    breakers?: Record<string, CircuitBreakerOptions>;
  };
  defaults: { circuitBreaker?: CircuitBreakerOptions };
  /** With the `name` that it is shared by. */
  described: { name: string };
  event:
    | ({
        type: 'circuit-state';
        breaker: string;
        from: CircuitState;
        to: CircuitState;
        reason: CircuitTransitionReason;
      } & CircuitTransitionDetails)
    | { type: 'circuit-rejected'; breaker: string; retryAfterMs: number };
}

/** The circuit breakers of an application: the named ones, and those that decorators made inline. */
export class CircuitBreakerRegistry extends Registry<CircuitBreakerPolicy> {}

/** Stops calling what keeps failing. */
export const circuitBreakerStage = namedStage<CircuitBreakerTypes, CircuitBreakerOptions>(
  {
    stage: 'circuitBreaker',
    title: 'circuit breaker',
    section: 'breakers',
    policy: CircuitBreakerPolicy,
    registry: CircuitBreakerRegistry,
    check: checkCircuitBreakerOptions,
    instead: (number) => `{ failureThreshold: ${number} }`,
    merge: (...layers) => mergeEither(layers, 'windowCalls', 'windowMs'),
    resolve: resolveCircuitBreakerOptions,
    make: (name, options, host) => new CircuitBreakerPolicy(name, options, host),
    snapshot: (breaker) => breaker.getSnapshot(),
    health: breakerHealth,
    doubts: ({ name, options }) =>
      (['failureRateThreshold', 'slowCallRateThreshold'] as const).flatMap((option) =>
        fractionDoubt(`circuit breaker ${name}`, option, options[option]),
      ),
    left: CircuitBreakerTelemetry.left,
  },
  {
    error: CircuitBreakerOpenError,
    summarize: ({ name }) => `circuit breaker ${name}`,
    metrics: CIRCUIT_BREAKER_METRICS,
  },
);
