import { decorate } from '../dispatch/decorate.js';
import type { AnyKey, KeyedDecorator } from '../dispatch/decorator-types.js';
import type { CoalesceOptions } from './coalesce.options.js';

/**
 * Equal calls that run at the same time share one execution, with all its attempts and its fallback: each
 * caller gets the very same value, or error. A caller's deadline and signal cut its own wait only; the shared
 * work goes on while anybody waits, and is aborted when nobody does.
 *
 * A stream is shared by those who come before its first value.
 *
 * @param options `{ key }`, where equal arguments do not make calls equal. Checked when the application boots.
 */
export function Coalesce<Key extends AnyKey>(
  options: CoalesceOptions<Key> = {},
): KeyedDecorator<Key> {
  return decorate('coalesce', options);
}
