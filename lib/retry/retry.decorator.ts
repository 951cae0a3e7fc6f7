import type { Observable } from 'rxjs';
import { decorate } from '../dispatch/decorate.js';
import type { ResilientMethod, ReturnsNoSubtype } from '../dispatch/decorator-types.js';
import type { BeforeRetry, UpcomingAttempt } from './before-retry.js';
import type { RetryOptions } from './retry.options.js';

/** Whether it is an Observable; a function that only throws returns `never`, which is none. */
type Subscribable<Returned> = [Returned] extends [never]
  ? false
  : [Returned] extends [Observable<unknown>]
    ? true
    : false;

/** `unknown` where a function can run before a retry, and otherwise something that no descriptor is. */
type Fits<Runs> = Runs extends (retry: UpcomingAttempt) => infer Returned
  ? Subscribable<Returned> extends true
    ? { 'nobody subscribes to what beforeRetry returns: it has to be a promise, or nothing': never }
    : unknown
  : { 'what beforeRetry names has to be a method that takes the retry': never };

/** The same for what `beforeRetry` says: nothing, a function, or a method (types do not see a private one; the boot does). */
type Prepares<Before, Target> = Before extends keyof Target
  ? Fits<Target[Before]>
  : Before extends PropertyKey
    ? unknown
    : Fits<Before>;

/** A decorator of the methods whose class has what is to run before each retry, and of classes. */
export interface RetryDecorator<Before = PropertyKey | BeforeRetry> {
  (target: abstract new (...args: never[]) => unknown): void;
  <Target extends object, Method extends ResilientMethod>(
    target: Target,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<Method> &
      Prepares<Before, Target> &
      ReturnsNoSubtype<Method>,
  ): void;
}

/**
 * Repeats a call that failed, with growing, jittered waits.
 *
 * @param retry `maxAttempts` (3 by default), the name of options in `retries` of the module, or options
 * @throws ResilienceConfigurationError when the application boots, where an option is wrong or a name unknown
 *
 * @example
 * class Payments {@Retry({ maxAttempts: 4, baseDelayMs: 200 })
 *   async charge(): Promise<void> {}
 * }
 */
export function Retry<const Before extends PropertyKey | BeforeRetry>(
  retry: number | string | RetryOptions<Before> = {},
): RetryDecorator<Before> {
  return decorate('retry', retry);
}
