import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { anyFunction, text } from '../common/option-rules.js';
import { check, checkOptions, type Rule, type Rules } from '../common/options.js';

/** What `@Resilience()` says of a method, or of a class. */
export interface ResilienceOptions {
  /**
   * What the operation is called, in errors, metrics and logs. On a method it is the whole name, in
   * place of `ClassName.method`; on a class it stands for the class's name: `name.method`. It is not
   * inherited: a class that extends this one has its own name. Unique in the application.
   */
  name?: string;
  /** The name of a bundle in `services`, all of which is applied. */
  service?: string;
  /**
   * Called with each answer that comes when nobody waits for it any more (after a timeout, of a hedge
   * that lost, after the caller has given up), to close what only you can close. Streams and the bodies
   * of `Response`s are closed already. What it throws affects nothing, and is warned of once.
   */
  onDiscard?: (answer: unknown) => unknown;
  /**
   * On a class: methods that its decorators apply to, beside those that they apply to by themselves.
   * One that returns neither a Promise nor an Observable will return a Promise.
   */
  include?: readonly (string | symbol)[];
  /** On a class: methods that its decorators do not apply to. Their own decorators stand. */
  exclude?: readonly (string | symbol)[];
}

const methodNames: Rule = (value) =>
  Array.isArray(value) && value.every((it) => typeof it === 'string' || typeof it === 'symbol')
    ? undefined
    : 'an array of names of methods';

const RULES: Rules<ResilienceOptions> = {
  name: text,
  service: text,
  onDiscard: anyFunction,
  include: methodNames,
  exclude: methodNames,
};

/**
 * The options that a `@Resilience()` argument stands for; a string is the name of a bundle.
 *
 * @throws ResilienceConfigurationError
 */
export function resilienceArgument(place: string, argument: unknown): ResilienceOptions {
  if (typeof argument === 'string') {
    check(place, argument, text);
    return { service: argument };
  }
  if (typeof argument !== 'object' || argument === null || Object.keys(argument).length === 0) {
    throw new ResilienceConfigurationError(
      place,
      `is ${display(argument)}; allowed: a non-empty string, the name of a bundle, or an object with ${Object.keys(RULES).join(', ')}`,
    );
  }
  return checkOptions<ResilienceOptions>(place, argument, RULES);
}

/**
 * The same on a method, of which there is nothing to include.
 *
 * @throws ResilienceConfigurationError
 */
export function methodResilienceArgument(place: string, argument: unknown): ResilienceOptions {
  const options = resilienceArgument(place, argument);
  for (const option of ['include', 'exclude'] as const) {
    if (options[option] !== undefined)
      throw new ResilienceConfigurationError(
        `${place}.${option}`,
        'is given on a method; allowed: on a class',
      );
  }
  return options;
}
