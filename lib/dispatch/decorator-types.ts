import type { Observable } from 'rxjs';
import type { PolicyKey } from '../common/keyed-policies.js';

/** What the decorators protect: a method that returns a Promise or an Observable, or an async generator. */
export type ResilientMethod = (
  ...args: never[]
) => PromiseLike<unknown> | Observable<unknown> | AsyncGenerator<unknown, unknown, never>;

/**
 * Nothing, or what no descriptor has where the method returns a subtype: its callers get a plain Promise
 * or Observable, without a query's `lean()` or a subject's `getValue()`.
 */
export type ReturnsNoSubtype<Method> = Method extends (...args: never[]) => infer Returned
  ? [SubtypesIn<Returned>] extends [never]
    ? unknown
    : {
        'callers get a plain Promise or Observable: declare that, and await a query in an async method': never;
      }
  : unknown;

type SubtypesIn<Returned> = 0 extends 1 & Returned
  ? never
  : Returned extends PromiseLike<infer Value>
    ? Promise<Value> extends Returned
      ? never
      : Returned
    : Returned extends Observable<infer Value>
      ? Observable<Value> extends Returned
        ? never
        : Returned
      : never;

/** A decorator of methods that return a promise, an Observable or an async generator, and of classes. */
export interface ResilienceDecorator {
  (target: abstract new (...args: never[]) => unknown): void;
  <T extends ResilientMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T> & ReturnsNoSubtype<T>,
  ): void;
}

/** What makes two calls of a method equal, or tells whom they are for. */
export type AnyKey = (...args: never[]) => PolicyKey;

/** `unknown` where the key can be asked by the method's arguments, and otherwise something that no descriptor is. */
export type KeyFits<Key extends AnyKey, Method extends ResilientMethod> =
  never[] extends Parameters<Key>
    ? unknown // there is none, or it takes whatever comes
    : OmitThisParameter<Key> extends (...args: Parameters<Method>) => PolicyKey
      ? unknown
      : { "the key, or weight, has to take the method's arguments": never };

/** A decorator of the methods whose arguments the key takes (and the weight, where there is one), and of classes. */
export interface KeyedDecorator<Key extends AnyKey, Weight extends AnyKey = AnyKey> {
  (target: abstract new (...args: never[]) => unknown): void;
  <Method extends ResilientMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Method> &
      KeyFits<Key, Method> &
      KeyFits<Weight, Method> &
      ReturnsNoSubtype<Method>,
  ): void;
}
