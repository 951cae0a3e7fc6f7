import { ResilienceError } from '../common/resilience.error.js';

/** The breaker did not let the call through: the dependency behind it was failing. */
export class CircuitBreakerOpenError extends ResilienceError {
  override readonly name = 'CircuitBreakerOpenError';
  readonly code = 'CIRCUIT_OPEN';

  constructor(
    readonly breaker: string,
    /** After this many ms it is worth trying again. */
    readonly retryAfterMs: number,
    captureStackTrace?: boolean,
  ) {
    super(`Circuit breaker "${breaker}" is open`, captureStackTrace);
  }
}
