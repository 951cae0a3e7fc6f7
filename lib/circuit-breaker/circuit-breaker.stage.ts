import { fractionDoubt } from '../common/option-rules.js';
import { mergeEither } from '../common/options.js';
import { Registry } from '../common/registry.js';
import { namedStage } from '../instances/named-stage.js';
import type { Keyable, KeyedReference } from '../stage/keyed.options.js';
import type { WouldRejectEvent } from '../stage/shadow.telemetry.js';
import { BREAKERS, type FleetOrder, isBreakerOrder } from './breaker-orders.js';
import { CircuitBreakerOpenError } from './circuit-breaker.error.js';
import { breakerHealth, sumOfBreakers } from './circuit-breaker.health.js';
import {
  type CircuitBreakerOptions,
  checkCircuitBreakerOptions,
  type ResolvedCircuitBreakerOptions,
  resolveCircuitBreakerOptions,
} from './circuit-breaker.options.js';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';
import { CIRCUIT_BREAKER_METRICS, CircuitBreakerTelemetry } from './circuit-breaker.telemetry.js';
import type {
  CircuitBreakerSnapshot,
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
    /** Options for a breaker shared under the service's name, or the name of one in `breakers`, also by key. */
    circuitBreaker?: Keyable<CircuitBreakerOptions> | KeyedReference | string;
  };
  names: {
    /** Circuit breakers, for `@CircuitBreaker(name)` and `@InjectCircuitBreaker(name)`. */
    breakers?: Record<string, Keyable<CircuitBreakerOptions>>;
  };
  defaults: {
    /** What circuit breakers leave out. */
    circuitBreaker?: Keyable<CircuitBreakerOptions>;
  };
  /** With the `name` that it is shared by; by key the pattern of the names. */
  described: { name: string } & Keyable<ResolvedCircuitBreakerOptions>;
  event:
    | ({
        /** Tells the event apart from others. */
        type: 'circuit-state';
        /** The name of the circuit breaker. */
        breaker: string;
        /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
        key?: string;
        /** The state that it was in. */
        from: CircuitState;
        /** The state that it is in from now on. */
        to: CircuitState;
        /** Why it changed. */
        reason: CircuitTransitionReason;
      } & CircuitTransitionDetails)
    | {
        /** Tells the event apart from others. */
        type: 'circuit-rejected';
        /** The name of the circuit breaker. */
        breaker: string;
        /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
        key?: string;
        /** After this many ms it is worth trying again. */
        retryAfterMs: number;
      }
    | ({
        /** Tells the event apart from others. */
        type: 'would-open';
        /** The name of the circuit breaker. */
        breaker: string;
        /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
        key?: string;
        /** Why it would have opened, if it was not in shadow mode. */
        reason: CircuitTransitionReason;
      } & CircuitTransitionDetails)
    | WouldRejectEvent;
}

/**
 * The circuit breakers of an application: the named ones, and those that decorators made inline.
 *
 * @example
 * breakers.get('payments').getSnapshot().state; // 'CLOSED'
 */
export class CircuitBreakerRegistry extends Registry<CircuitBreakerPolicy> {}

/** Stops calling what keeps failing. */
export const circuitBreakerStage = namedStage<CircuitBreakerTypes, CircuitBreakerOptions>(
  {
    stage: 'circuitBreaker',
    title: 'circuit breaker',
    section: BREAKERS,
    isSharable: true,
    canShadow: true,
    policy: CircuitBreakerPolicy,
    registry: CircuitBreakerRegistry,
    check: checkCircuitBreakerOptions,
    main: 'failureThreshold',
    merge: (...layers) => mergeEither(layers, 'windowCalls', 'windowMs'),
    resolve: resolveCircuitBreakerOptions,
    make: (name, options, host) => new CircuitBreakerPolicy(name, options, host),
    change: (breaker, options) => breaker.change(options),
    remember: (breaker) => breaker.remember?.(), // a test may have put something else in its place
    recall: (breaker, remembered, agoMs) => breaker.recall?.(remembered, agoMs),
    dispose: (breaker) => breaker.dispose?.(), // a test may have put something else in its place
    snapshot: (breaker) => breaker.getSnapshot(),
    sum: (snapshots) => sumOfBreakers(snapshots as CircuitBreakerSnapshot[]),
    health: breakerHealth,
    orders: {
      knows: isBreakerOrder,
      obey: (breaker, order) => breaker.obey?.(order as FleetOrder), // a test may have put something else in its place,
    },
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
