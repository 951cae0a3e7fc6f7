import type { Observable } from 'rxjs';
import { decorate } from '../dispatch/decorate.js';
import type {
  AnyKey,
  KeyedDecorator,
  KeyFits,
  ResilientMethod,
  ReturnsNoSubtype,
} from '../dispatch/decorator-types.js';
import type { FallbackOptions, LastGoodFallback } from './fallback.options.js';

/** Literals as their types, five levels deep: an inline function's answer has lost its literals. */
type Widened<T, Depth extends unknown[] = []> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends (...args: never[]) => unknown
        ? T
        : Depth['length'] extends 5
          ? T
          : T extends readonly unknown[]
            ? readonly Widened<T[number], [...Depth, unknown]>[]
            : T extends object
              ? { [Key in keyof T]: Widened<T[Key], [...Depth, unknown]> }
              : T;

/** A method that only throws returns `never`, and may be answered with anything. */
type Answer<Value> = [Value] extends [never] ? unknown : Widened<Value>;

/** What a method may be answered with in place of what it returns. */
type AnswerFor<Method extends ResilientMethod> =
  ReturnType<Method> extends PromiseLike<infer Value>
    ? Answer<Value> | PromiseLike<Answer<Value>>
    : ReturnType<Method> extends Observable<infer Value>
      ? Answer<Value> | PromiseLike<Answer<Value>> | Observable<Answer<Value>>
      : ReturnType<Method> extends AsyncGenerator<infer Value, unknown, never>
        ? Answer<Value> | PromiseLike<Answer<Value>> | AsyncGenerator<Answer<Value>, unknown, never>
        : never;

/** What a handler has to answer; one that does not say what it answers is believed. */
type AnswerBy<Handler, Method extends ResilientMethod> = Handler extends (
  ...args: never[]
) => infer Answered
  ? unknown extends Awaited<Answered>
    ? unknown
    : AnswerFor<Method>
  : never;

/** Written as methods, whose parameters may be narrower: most errors are `Error`s. */
interface Fitting<Handler, Method extends ResilientMethod> {
  asFunction(error: unknown, ...args: Parameters<Method>): AnswerBy<Handler, Method>;
  asMethod(...argsThenError: [...Parameters<Method>, unknown]): AnswerBy<Handler, Method>;
}

/**
 * Whether a function takes the error first. That a parameter is narrower is no proof (see `Fitting`), but one that takes
 * the method's own argument and no error stands in the error's place.
 */
type TakesErrorFirst<Handler, Method extends ResilientMethod> = Handler extends (
  first: infer First,
  ...rest: never[]
) => unknown
  ? unknown extends First | Parameters<Method>[0]
    ? true
    : Error extends First
      ? true
      : First extends Error
        ? true
        : NonNullable<Parameters<Method>[0]> extends First
          ? false
          : true
  : true;

interface AnyHandler {
  asFunction(error: unknown, ...args: never[]): unknown;
}

/** `unknown` where the handler fits the method, and otherwise something that no descriptor is. */
type Fits<Handler, Target, Method extends ResilientMethod> = Handler extends keyof Target
  ? Target[Handler] extends Fitting<Target[Handler], Method>['asMethod']
    ? unknown
    : {
        "the fallback method has to take the method's arguments, then the error, and answer alike": never;
      }
  : Handler extends PropertyKey
    ? unknown // a private method, which types do not see; the boot does
    : [Handler, true] extends [
          Fitting<Handler, Method>['asFunction'],
          TakesErrorFirst<Handler, Method>,
        ]
      ? unknown
      : {
          "the fallback has to take the error, then the method's arguments, and answer alike": never;
        };

/** A decorator of the methods that the handler can answer for, and whose arguments the key takes; and of classes. */
export interface FallbackDecorator<Handler, Key extends AnyKey = AnyKey> {
  (target: abstract new (...args: never[]) => unknown): void;
  <Target extends object, Method extends ResilientMethod>(
    target: Target,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Method> &
      Fits<Handler, Target, Method> &
      KeyFits<Key, Method> &
      ReturnsNoSubtype<Method>,
  ): void;
}

/**
 * Answers with the last success of an equal call, a copy of it, in place of a call that failed for good, after all retries.
 *
 * @param options `{ lastGood: { maxAgeMs } }`: how old the last success may be, and what makes calls equal
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong
 *
 * @example
 * class Shop {@Fallback({ lastGood: { maxAgeMs: 60_000 } })
 *   async price(product: string): Promise<number> { return product.length; }
 * }
 */
export function Fallback<Key extends AnyKey>(options: LastGoodFallback<Key>): KeyedDecorator<Key>;
/**
 * Answers in place of a call that failed for good, after all retries.
 *
 * @param fallback the name of a method of the same class, called with the call's arguments, then the error; a
 * function, called with the error, then the arguments; or `{ handler, when }`, where `when` says which errors it
 * answers. With `lastGood: { maxAgeMs }` the last success of an equal call answers first.
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or there is no such method
 * @typeParam Handler what answers
 *
 * @example
 * class Shop {@Fallback(() => [])
 *   async recommended(): Promise<string[]> { return ['a book']; }
 * }
 */
export function Fallback<
  const Handler extends PropertyKey | AnyHandler['asFunction'],
  Key extends AnyKey = AnyKey,
>(fallback: Handler | FallbackOptions<Handler, Key>): FallbackDecorator<Handler, Key>;
export function Fallback(
  fallback: PropertyKey | AnyHandler['asFunction'] | FallbackOptions,
): FallbackDecorator<PropertyKey> {
  return decorate('fallback', fallback);
}
