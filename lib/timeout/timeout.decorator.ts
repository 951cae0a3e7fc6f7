import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { TimeoutLayerName, TimeoutOptions } from './timeout.options.js';

/**
 * Ends an attempt that takes too long with a `TimeoutError`, and aborts its `currentSignal()`.
 *
 * @param timeout ms, or a layer of a hierarchy in `timeouts` such as `'payments.client'`; or
 * `{ attemptMs, totalMs }`, where the total is that of the call with all its attempts and waits, of which a
 * layer is `{ attempt: 'payments.client', total: 'payments.gateway' }`. A fallback still answers a call whose
 * total has run out. Without an attempt's time, `defaults.timeoutMs`.
 * @throws ResilienceConfigurationError when the application boots, where a time is wrong or a layer unknown
 *
 * @example
 * class Payments {@Timeout({ attemptMs: 800, totalMs: 3_000 })
 *   async charge(): Promise<void> {}
 * }
 */
export function Timeout(timeout?: number | TimeoutLayerName | TimeoutOptions): ResilienceDecorator {
  const ofAttempt = decorate('timeout', timeout);
  if (typeof timeout !== 'object') return ofAttempt;
  const ofCall = decorate('totalTimeout', timeout);
  return (target: object, key?: PropertyKey, descriptor?: PropertyDescriptor) => {
    ofAttempt(target, key, descriptor);
    ofCall(target, key, descriptor);
  };
}
