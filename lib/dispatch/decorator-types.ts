import type { Observable } from 'rxjs';

/** What the decorators protect: a method that returns a Promise or an Observable. */
export type ResilientMethod = (...args: never[]) => PromiseLike<unknown> | Observable<unknown>;

/** A decorator of such methods, and of classes. */
export interface ResilienceDecorator {
  (target: abstract new (...args: never[]) => unknown): void;
  <T extends ResilientMethod>(
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<T>,
  ): void;
}
