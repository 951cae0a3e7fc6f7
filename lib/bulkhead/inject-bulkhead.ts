import { injectPolicy, policyToken } from '../common/tokens.js';

/** The injection token of the named bulkhead, a `BulkheadPolicy`. */
export function getBulkheadToken(name: string): string {
  return policyToken('bulkhead', name);
}

/** Injects the named bulkhead, a `BulkheadPolicy`. An unknown name fails the boot. */
export function InjectBulkhead(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getBulkheadToken(name), '@InjectBulkhead()');
}
