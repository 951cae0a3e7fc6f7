import { giveMeaning, ResilienceError } from '../errors/resilience.error.js';

/**
 * The attempt, or a call around it, ran out of time.
 *
 * @example
 * await payments.charge(order).catch((error) => {
 *   if (error instanceof TimeoutError) console.log(`${error.operation} took more than ${error.timeoutMs} ms`);
 *   throw error;
 * });
 */
export class TimeoutError extends ResilienceError {
  /** The class's name, by which logs show it. */
  override readonly name = 'TimeoutError';
  /** Tells the error apart from the library's others. */
  readonly code = 'TIMEOUT';

  constructor(
    /** The budget that was used up, in ms. */
    readonly timeoutMs: number,
    /** Whose budget it was: `ClassName.method`. */
    readonly operation?: string,
    captureStackTrace?: boolean,
    override readonly byClient = false,
    /** Whether it was the time of the call with all its attempts and waits, rather than that of one attempt. */
    readonly total = false,
  ) {
    super(
      `Operation timed out after ${timeoutMs} ms${total ? ' in total' : ''}`,
      captureStackTrace,
    );
  }
}

giveMeaning(TimeoutError, {
  code: 'TIMEOUT',
  http: 504,
  grpc: 4,
  message: 'The request took too long',
  rejects: false,
});
