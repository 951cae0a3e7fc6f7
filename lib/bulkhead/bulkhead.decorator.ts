import { injectPolicy, policyToken } from '../common/tokens.js';
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

/** The injection token of the named bulkhead, a `BulkheadPolicy`. */
export function getBulkheadToken(name: string): string {
  return policyToken('bulkhead', name);
}

/** Injects the named bulkhead, a `BulkheadPolicy`. An unknown name fails the boot. */
export function InjectBulkhead(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getBulkheadToken(name), '@InjectBulkhead()');
}
