import type { InFlight } from '../shutdown/in-flight.js';
import type {
  CircuitState,
  CircuitTransitionDetails,
  CircuitTransitionReason,
} from './circuit-state.js';

/** Told of what happens to a breaker. */
export interface CircuitBreakerObserver {
  onTransition(
    breaker: { readonly name: string },
    from: CircuitState,
    to: CircuitState,
    reason: CircuitTransitionReason,
    details: CircuitTransitionDetails,
  ): void;
  onRejected(breaker: { readonly name: string }, retryAfterMs: number): void;
}

/** What the module that owns a breaker gives it. */
export interface CircuitBreakerHost {
  observer?: CircuitBreakerObserver;
  captureStackTrace?: boolean;
  /** Counts the calls that go through the breaker by itself. */
  inFlight?: InFlight;
}
