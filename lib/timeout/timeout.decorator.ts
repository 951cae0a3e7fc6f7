import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { TimeoutLayer } from './timeout-hierarchy.js';

/**
 * Ends an attempt that takes too long with a `TimeoutError`, and aborts its `currentSignal()`.
 *
 * @param timeout ms, or a layer of a hierarchy in `timeouts` such as `'payments.client'`. Without it,
 * `defaults.timeoutMs`. Checked when the application boots.
 */
export function Timeout(timeout?: number | `${string}.${TimeoutLayer}`): ResilienceDecorator {
  return decorate('timeout', timeout);
}
