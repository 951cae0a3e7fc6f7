import { durationOrZero } from '../common/option-rules.js';
import { checkerOf } from '../common/options.js';

/** How calls end when the application closes. */
export interface ShutdownOptions {
  /**
   * How long calls go on as ever after the first of the module's shutdown hooks, in ms: those in flight,
   * queued and backing off, and those that hooks of the application make. What is still there when the
   * servers have closed is waited for within this time. At its end a backoff ends with the last error, and a
   * call that waits for a slot or its turn with a `BulkheadRejectedError` or a `RateLimitedError` (`reason:
   * 'shutdown'`). 0 ends them at once, and waits for nothing. @default 5000
   */
  graceMs?: number;
}

/** @throws ResilienceConfigurationError */
export const checkShutdownOptions = checkerOf<ShutdownOptions>({ graceMs: durationOrZero });
