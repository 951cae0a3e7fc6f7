import type { Observable } from 'rxjs';

/** What the decorators protect: a method that returns a Promise or an Observable. */
export type ResilientMethod = (...args: never[]) => PromiseLike<unknown> | Observable<unknown>;

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

/** A decorator of such methods, and of classes. */
export interface ResilienceDecorator {
  (target: abstract new (...args: never[]) => unknown): void;
  <T extends ResilientMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T> & ReturnsNoSubtype<T>,
  ): void;
}
