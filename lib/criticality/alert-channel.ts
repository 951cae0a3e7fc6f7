import type { ErrorContext } from '../common/error-context.js';

/** A critical operation failed for good. */
export interface CriticalAlert {
  operation: string;
  error: unknown;
  context: ErrorContext;
  /** Alerts of this operation that were held back since the last one. */
  suppressed: number;
}

/**
 * Where alerts go: a pager, a chat, a log. It may throw or hang: the call that failed does not wait
 * for it.
 */
export interface AlertChannel {
  sendCritical(message: string, alert: CriticalAlert): void | Promise<void>;
}
