import { namedStage } from '../stage/named-catalog.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import { type CircuitBreakerOptions } from './circuit-breaker.options.js';
import type { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { BREAKERS } from './circuit-breaker.registry.js';
import { CIRCUIT_BREAKER_METRICS } from './circuit-breaker.telemetry.js';
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

/** Stops calling what keeps failing. */
export const circuitBreakerStage = namedStage<CircuitBreakerTypes, CircuitBreakerOptions>(
  BREAKERS,
  {
    error: CircuitBreakerOpenError,
    summarize: ({ name }) => `circuit breaker ${name}`,
    metrics: CIRCUIT_BREAKER_METRICS,
  },
);
