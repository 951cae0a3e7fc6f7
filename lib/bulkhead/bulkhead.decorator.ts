import { injectPolicy, policyToken } from '../common/tokens.js';
import { decorate } from '../dispatch/decorate.js';
import type { KeyedDecorator } from '../dispatch/decorator-types.js';
import {
  type ByKeyOptions,
  type Keyable,
  type KeyFunction,
  named,
} from '../stage/keyed.options.js';
import type { BulkheadOptions } from './bulkhead.options.js';

/**
 * Limits how many calls run at a time.
 *
 * @param bulkhead the name of one in `bulkheads`, which is shared, or options for one of the method's
 * own, named `ClassName.method`. Checked when the application boots.
 * @param keyed has one for each key in the place of the one of the name. Equal keys of different operations
 * share one.
 *
 * @example @Bulkhead('partner', { key: (tenant: string) => tenant })
 */
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  name: string,
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key>;
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  options?: Keyable<BulkheadOptions, Key>,
): KeyedDecorator<Key>;
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  bulkhead: string | Keyable<BulkheadOptions, Key>,
): KeyedDecorator<Key>;
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  bulkhead: string | Keyable<BulkheadOptions, Key> = {},
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key> {
  return decorate('bulkhead', named(bulkhead, keyed));
}

/** The injection token of the named bulkhead, a `BulkheadPolicy`. */
export function getBulkheadToken(name: string): string {
  return policyToken('bulkhead', name);
}

/**
 * Injects the named bulkhead, a `BulkheadPolicy`; of one that is kept by key all of them, a
 * `KeyedPolicies<BulkheadPolicy>`. An unknown name fails the boot.
 */
export function InjectBulkhead(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getBulkheadToken(name), '@InjectBulkhead()');
}
