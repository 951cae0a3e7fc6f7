import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { PolicyKey } from '../common/keyed-policies.js';
import { methodOrFunction, predicate } from '../common/option-rules.js';
import { checked, checkOptions, type Rules } from '../common/options.js';
import { checkLastGoodOptions, type LastGoodOptions } from './last-good.options.js';

/** Who answers in place of a failed call. */
type AnyHandler = PropertyKey | ((error: unknown, ...args: never[]) => unknown);

/** By what a last success is found. */
type AnyKey = (...args: never[]) => PolicyKey;

/** Who answers in place of a failed call, and which failures. */
export type FallbackOptions<Handler = AnyHandler, Key = AnyKey> =
  | (HandlerOptions<Handler, Key> & FallbackConditions)
  | LastGoodFallback<Key>;

/** The last success alone answers, and where there is none, nobody. */
export type LastGoodFallback<Key = AnyKey> = FallbackConditions & {
  /** Without one: where there is no last success, the call fails. */
  handler?: never;
  /** For how long the last success of an equal call stands in for one that fails. */
  lastGood: LastGoodOptions<Key>;
};

interface HandlerOptions<Handler, Key> {
  /** The name of a method of the same class, or a function. */
  handler: Handler;
  /** For how long the last success of an equal call stands in; after that the handler answers. @default not at all */
  lastGood?: LastGoodOptions<Key>;
}

/** What a fallback answers. */
export interface FallbackConditions {
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

/** As they are given, layer by layer. */
export type GivenFallback = FallbackConditions & {
  handler?: AnyHandler;
  lastGood?: LastGoodOptions;
};

const RULES: Rules<GivenFallback> = {
  handler: methodOrFunction,
  when: predicate,
  whenResult: predicate,
  lastGood: checked(checkLastGoodOptions),
};

/**
 * The options that a `@Fallback()` argument stands for.
 *
 * @throws ResilienceConfigurationError
 */
export function fallbackArgument(place: string, argument: unknown): GivenFallback {
  if (methodOrFunction(argument, place) === undefined) return { handler: argument as PropertyKey };
  if (typeof argument !== 'object' || argument === null) {
    throw new ResilienceConfigurationError(
      place,
      `is ${display(argument)}; allowed: the name of a method of the same class, a function, or { handler, when, whenResult, lastGood }`,
    );
  }
  return checkOptions<GivenFallback>(place, argument, RULES);
}

/** The method that a `@Fallback()` argument names, if it does; whether it may is checked at boot. */
export function fallbackMethodOf(argument: unknown): PropertyKey | undefined {
  const handler =
    typeof argument === 'object' && argument !== null && 'handler' in argument
      ? argument.handler
      : argument;
  return typeof handler === 'string' || typeof handler === 'symbol' ? handler : undefined;
}
