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
 * Limits how many calls of the method run at a time: further ones wait in a queue, or are rejected with a
 * `BulkheadRejectedError`.
 *
 * @param name of one in `bulkheads` of the module, which is shared by all who name it
 * @param keyed `{ key }`: each key has one of its own in the place of the one of the name. Equal keys of
 * different operations share it.
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@Bulkhead('partner', { key: (tenant: string) => tenant })
 *   async charge(tenant: string): Promise<void> {}
 * }
 */
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  name: string,
  keyed?: ByKeyOptions<Key>,
): KeyedDecorator<Key>;
/**
 * Limits how many calls of the method run at a time: further ones wait in a queue, or are rejected with a
 * `BulkheadRejectedError`.
 *
 * @param options of one of the method's own, named `ClassName.method`
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@Bulkhead({ maxConcurrent: 10, queueLimit: 20 })
 *   async charge(): Promise<void> {}
 * }
 */
export function Bulkhead<Key extends KeyFunction = KeyFunction>(
  options?: Keyable<BulkheadOptions, Key>,
): KeyedDecorator<Key>;
/**
 * Limits how many calls of the method run at a time: further ones wait in a queue, or are rejected with a
 * `BulkheadRejectedError`.
 *
 * @param bulkhead the name of one in `bulkheads`, which is shared, or options of one of the method's own
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@Bulkhead({ maxConcurrent: 10, queueLimit: 20 })
 *   async charge(): Promise<void> {}
 * }
 */
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
 *
 * @example
 * class Orders {
 *   constructor(@InjectBulkhead('reports') readonly policy: BulkheadPolicy) {}
 * }
 */
export function InjectBulkhead(name: string): ParameterDecorator & PropertyDecorator {
  return injectPolicy(getBulkheadToken(name), '@InjectBulkhead()');
}
