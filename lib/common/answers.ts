import { display, ResilienceConfigurationError } from './configuration.error.js';
import { read } from './read.js';

/**
 * What a user's predicate answers.
 *
 * @param of whose predicate it is, with the place of its options, and `option` its name among them
 * @throws what the predicate throws; a ResilienceConfigurationError when it answers with a promise
 */
export function ask(of: { readonly place: string }, option: string, answer: unknown): boolean {
  if (typeof answer === 'boolean') return answer;
  if (isPromise(answer))
    throw new ResilienceConfigurationError(
      `${of.place}.${option}`,
      `answered ${displayAnswer(answer)}; allowed: true or false`,
    );
  return Boolean(answer);
}

/** What a user's function answered and must not, for messages. A promise of it is nobody's any more. */
export function displayAnswer(answer: unknown): string {
  if (!isPromise(answer)) return display(answer);
  drop(answer);
  return 'a promise; it has to answer at once';
}

/** Whether it is one where an answer is needed at once. */
export function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof read(value, 'then') === 'function';
}

/** Its rejection is nobody else's, and must not end the process. */
export function drop(answer: PromiseLike<unknown>): void {
  Promise.resolve(answer).catch(() => undefined);
}

export function isAsyncFunction(value: unknown): boolean {
  return typeof value === 'function' && value.constructor.name === 'AsyncFunction';
}

/** Called without `new`, it would throw. */
export function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value));
}
