import type { PolicyKey } from '../common/keyed-policies.js';
import { decorate } from '../dispatch/decorate.js';
import type { ResilientMethod, ReturnsNoSubtype } from '../dispatch/decorator-types.js';
import type { CoalesceOptions } from './coalesce.options.js';

type AnyKey = (...args: never[]) => PolicyKey;

/** `unknown` where the key can be asked by the method's arguments, and otherwise something that no descriptor is. */
export type KeyFits<Key extends AnyKey, Method extends ResilientMethod> =
  never[] extends Parameters<Key>
    ? unknown // there is none, or it takes whatever comes
    : OmitThisParameter<Key> extends (...args: Parameters<Method>) => PolicyKey
      ? unknown
      : { "the key has to take the method's arguments": never };

/** A decorator of the methods whose arguments the key takes, and of classes. */
export interface CoalesceDecorator<Key extends AnyKey> {
  (target: abstract new (...args: never[]) => unknown): void;
  <Method extends ResilientMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Method> & KeyFits<Key, Method> & ReturnsNoSubtype<Method>,
  ): void;
}

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
): CoalesceDecorator<Key> {
  return decorate('coalesce', options);
}
