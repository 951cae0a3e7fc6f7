import { kindOf } from '../common/configuration.error.js';
import { isInstance } from '../common/is-error.js';
import { constructorNameOf } from '../common/plain-object.js';
import { read } from '../common/read.js';

/** In place of the result of a stream that ends without a value: there is nothing to judge. */
export const NO_RESULT: unique symbol = Symbol('no result');

/** What predicates have said about a result, which are asked once. */
export interface Verdict {
  readonly retryable?: boolean | undefined;
  readonly replaceable?: boolean | undefined;
  /** What the one about a replacement has thrown instead. */
  readonly thrown?: { readonly error: unknown } | undefined;
}

/**
 * Stands for a result that counts as a failure, by `retryableResults`, `isFailureResult` or `whenResult`.
 * Events, metrics and the error tracker know such a failure by it; a fallback gets it as its error. Who
 * made the call gets the result itself, where nothing replaces it.
 */
export class FailedResult extends Error {
  /** The class's name, by which logs show it. */
  override readonly name = 'FailedResult';
  /** What was returned; of a stream its first value. Not enumerable: it is not for logs. */
  declare readonly result: unknown;
  /** @internal */
  declare readonly verdict: Verdict;

  constructor(result: unknown, verdict: Verdict = {}) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // it is made where it is judged, which tells nobody anything
    super(`${inWords(result)} counts as a failure`);
    Error.stackTraceLimit = stackTraceLimit;
    Object.defineProperty(this, 'result', { value: result });
    Object.defineProperty(this, 'verdict', { value: verdict });
  }
}

export function isFailedResult(error: unknown): error is FailedResult {
  return isInstance(error, FailedResult);
}

/** By what a failure is recognised where it comes by again: that of a result by the result. */
export function identityOf(error: unknown): unknown {
  return isFailedResult(error) ? error.result : error;
}

/** Nothing of what is in it: that may be a secret. */
function inWords(result: unknown): string {
  const status = read(result, 'status');
  const isObject = typeof result === 'object' && result !== null && !Array.isArray(result);
  const name = isObject ? constructorNameOf(result) : undefined;
  const named = name === undefined || name === 'Object' ? kindOf(result) : name;
  return typeof status === 'number' ? `${named} with status ${status}` : named;
}
