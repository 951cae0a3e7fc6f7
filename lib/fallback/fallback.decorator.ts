import { decorate } from '../dispatch/decorate.js';
import type { ResilienceDecorator } from '../dispatch/decorator-types.js';
import type { FallbackOptions } from './fallback.options.js';

/**
 * Answers in place of a call that failed for good (after retries).
 *
 * @param fallback the name of a method of the same class, called with the call's arguments, then the
 * error; a function, called with the error, then the arguments; or `{ handler, when }`, where `when`
 * says which errors it answers. Checked when the application boots.
 */
export function Fallback(
  fallback: PropertyKey | FallbackOptions | ((error: unknown, ...args: never[]) => unknown),
): ResilienceDecorator {
  return decorate('fallback', fallback, '@Fallback()');
}
