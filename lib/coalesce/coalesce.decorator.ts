import { decorate } from '../dispatch/decorate.js';
import type { AnyKey, KeyedDecorator } from '../dispatch/decorator-types.js';
import type { CoalesceOptions } from './coalesce.options.js';

/**
 * Lets equal calls that run at the same time share one execution, with all its attempts and its fallback: each
 * caller gets the very same value, or error.
 *
 * A caller's deadline and signal cut its own wait only; the shared
 * work goes on while anybody waits, and is aborted when nobody does.
 *
 * A stream is shared by those who come before its first value.
 *
 * @param options `{ key }`, where equal arguments do not make calls equal
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong
 *
 * @example
 * class Prices {@Coalesce({ key: (product: string) => product })
 *   async price(product: string): Promise<number> { return product.length; }
 * }
 */
export function Coalesce<Key extends AnyKey>(
  options: CoalesceOptions<Key> = {},
): KeyedDecorator<Key> {
  return decorate('coalesce', options);
}
