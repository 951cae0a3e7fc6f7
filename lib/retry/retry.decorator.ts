import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { RetryOptions } from './retry.options.js';

/**
 * Repeats a call that failed, with growing, jittered waits.
 *
 * @param retry `maxAttempts`, the name of options in `retries`, or options. Checked when the
 * application boots.
 */
export function Retry(retry: number | string | RetryOptions = {}): ResilienceDecorator {
  return decorate('retry', retry);
}
