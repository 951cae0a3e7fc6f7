import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { check, checkOptions, type Rules, text } from '../common/options.js';

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
}

const RULES: Rules<ResilienceOptions> = { name: text, service: text };

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
