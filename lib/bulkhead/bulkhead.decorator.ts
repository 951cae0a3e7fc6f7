import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { BulkheadOptions } from './bulkhead.options.js';

/**
 * Limits how many calls run at a time.
 *
 * @param bulkhead the name of one in `bulkheads`, which is shared, or options for one of the method's
 * own, named `ClassName.method`. Checked when the application boots.
 */
export function Bulkhead(bulkhead: string | BulkheadOptions = {}): ResilienceDecorator {
  return decorate('bulkhead', bulkhead);
}
