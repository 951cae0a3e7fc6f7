import type { ErrorContext } from '../errors/error-context.js';

/** A critical operation failed for good. */
export interface CriticalAlert {
  /** The operation that failed: `ClassName.method`. */
  operation: string;
  /** What it failed by. */
  error: unknown;
  /**
   * The error's name; `NonError` for what is not an `Error`. Always there in alerts that the module sends.
   */
  type?: string;
  /**
   * The error's message without what looks like a secret, unlike that of `error` itself. Always there in
   * alerts that the module sends.
   */
  message?: string;
  /** What the error came from: why a breaker is open, or why a fetch failed. */
  cause?:
    | {
        /** The name of the error's class. */
        type: string;
        /** The error's message. */
        message: string;
      }
    | undefined;
  /** What was known of the call. */
  context: ErrorContext;
  /** `true` where the error was injected by chaos, or came of what was: nobody has to be woken. */
  chaos?: true | undefined;
  /** How many alerts of this operation were held back since the last one (`alertIntervalMs`). */
  suppressed: number;
}

/** A circuit breaker whose operations had alerted has closed again. */
export interface Recovery {
  /** The name of the breaker that has closed. */
  breaker: string;
  /** The critical operations that alerted while it was not. */
  operations: string[];
}

/**
 * Where alerts go: a pager, a chat, a log. It may throw or hang: the call that failed does not wait
 * for it.
 */
export interface AlertChannel {
  /** Alerts somebody of a critical failure. What it throws is logged, and fails no call. */
  sendCritical(message: string, alert: CriticalAlert): void | Promise<void>;
  /** Tells that what was alerted of is over: the circuit breaker of the operations has closed again. */
  sendRecovered?(message: string, recovery: Recovery): void | Promise<void>;
  /** Sends what still waits. Called when the application ends, which waits for it. */
  flush?(): Promise<void>;
}
