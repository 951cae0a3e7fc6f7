import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';

/**
 * The breaker did not let the call through: the dependency behind it was failing, or is ramping up.
 *
 * Its `cause` is why: what an attempt of the same call failed by before it met the open breaker, else
 * the last failure that counted towards the opening, or that of the probe by which recovery failed.
 * There is none where slow answers opened it, or somebody by `forceOpen()`, or the calls of other instances
 * that share it.
 *
 * @example
 * try {
 *   await payments.charge(order);
 * } catch (error) {
 *   if (!(error instanceof CircuitBreakerOpenError)) throw error;
 *   console.log(`${error.breaker} is open; again in ${error.retryAfterMs} ms`);
 * }
 */
export class CircuitBreakerOpenError extends ResilienceError {
  /** The class's name, by which logs show it. */
  override readonly name = 'CircuitBreakerOpenError';
  /** Tells the error apart from the library's others. */
  readonly code = 'CIRCUIT_OPEN';

  constructor(
    /** The name of the breaker. */
    readonly breaker: string,
    /** After this many ms it is worth trying again. */
    readonly retryAfterMs: number,
    captureStackTrace?: boolean,
    rampingUp = false,
    cause?: unknown,
  ) {
    super(
      `Circuit breaker "${breaker}" is ${rampingUp ? 'ramping up' : 'open'}`,
      captureStackTrace,
      cause,
    );
  }
}

giveMeaning(CircuitBreakerOpenError, {
  code: 'CIRCUIT_OPEN',
  http: 503,
  grpc: 14,
  message: 'The service is temporarily unavailable',
});
