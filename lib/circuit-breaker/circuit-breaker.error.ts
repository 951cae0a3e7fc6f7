import { ResilienceError } from '../common/resilience.error.js';

/** The breaker did not let the call through: the dependency behind it was failing, or is ramping up. */
export class CircuitBreakerOpenError extends ResilienceError {
  override readonly name = 'CircuitBreakerOpenError';
  readonly code = 'CIRCUIT_OPEN';

  constructor(
    readonly breaker: string,
    /** After this many ms it is worth trying again. */
    readonly retryAfterMs: number,
    captureStackTrace?: boolean,
    rampingUp = false,
  ) {
    super(
      `Circuit breaker "${breaker}" is ${rampingUp ? 'ramping up' : 'open'}`,
      captureStackTrace,
    );
  }
}
