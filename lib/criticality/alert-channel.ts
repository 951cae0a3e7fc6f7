import type { ErrorContext } from '../errors/error-context.js';

/** A critical operation failed for good. */
export interface CriticalAlert {
  /** The operation that failed: `ClassName.method`. */
  operation: string;
  /** What it failed by. */
  error: unknown;
  /** What the error is called, as in `TrackedError`; like the following, always there in alerts of the module. */
  type?: string;
  /** Without what looks like a secret, unlike that of `error` itself. */
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
  /** It was injected by chaos, or came of what was: nobody has to be woken. */
  chaos?: true | undefined;
  /** Alerts of this operation that were held back since the last one. */
  suppressed: number;
}

/** A breaker is closed again whose operations had alerted. */
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
  /** The other end of an alert, where a breaker was part of it. */
  sendRecovered?(message: string, recovery: Recovery): void | Promise<void>;
  /** Called when the application ends, so that nothing that waits is lost; it has to end soon. */
  flush?(): Promise<void>;
}
