import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { checkOptions, methodOrFunction, predicate, type Rules } from '../common/options.js';

/** Who answers in place of a failed call, and which failures. */
export interface FallbackOptions<
  Handler = PropertyKey | ((error: unknown, ...args: never[]) => unknown),
> {
  /** The name of a method of the same class, or a function. */
  handler: Handler;
  /**
   * Which failures it answers. A predicate that throws surfaces its error.
   * @default every failure that is not a client error
   */
  when?: (error: unknown) => boolean;
  /**
   * Which results it replaces as well, of those that are returned after all retries: of a stream by its
   * first value. The handler gets a `FailedResult`, whose `result` it is, in place of an error. A predicate
   * that throws surfaces its error.
   * @default none
   */
  whenResult?(result: unknown): boolean;
}

const RULES: Rules<FallbackOptions> = {
  handler: methodOrFunction,
  when: predicate,
  whenResult: predicate,
};

/**
 * The options that a `@Fallback()` argument stands for.
 *
 * @throws ResilienceConfigurationError
 */
export function fallbackArgument(place: string, argument: unknown): FallbackOptions {
  if (methodOrFunction(argument, place) === undefined) return { handler: argument as PropertyKey };
  if (typeof argument !== 'object' || argument === null) {
    throw new ResilienceConfigurationError(
      place,
      `is ${display(argument)}; allowed: the name of a method of the same class, a function, or { handler, when, whenResult }`,
    );
  }
  return checkOptions<FallbackOptions>(place, argument, RULES);
}

/** The method that a `@Fallback()` argument names, if it does; whether it may is checked at boot. */
export function fallbackMethodOf(argument: unknown): PropertyKey | undefined {
  const handler =
    typeof argument === 'object' && argument !== null && 'handler' in argument
      ? argument.handler
      : argument;
  return typeof handler === 'string' || typeof handler === 'symbol' ? handler : undefined;
}
