import { entriesOf, read } from '../common/read.js';
import { isFailedResult } from './failed-result.js';
import { isResilienceError } from './resilience.error.js';

/** What failed elsewhere may have been made of thousands, and decides none of our costs. */
const MAX_ERRORS = 200;

/**
 * An error, and those that it was made of: by `cause`, of an `AggregateError` by `errors`, and of a
 * `FailedResult` the result. The nearest come first, each once, also where they go in a circle, and 200 of
 * them at most; what cannot be read ends the search there. So do the library's own errors: what refused a call tells by its
 * `cause` of an earlier failure, and not of this one.
 */
export function errorChain(error: unknown): unknown[] {
  const chain = new Set([error]);
  for (const each of chain) {
    // A Set is walked through to what has been added meanwhile.
    for (const inner of madeOf(each)) if (chain.size < MAX_ERRORS) chain.add(inner);
  }
  return [...chain];
}

function* madeOf(error: unknown): Generator<unknown> {
  if (isResilienceError(error)) return;
  if (isFailedResult(error)) yield error.result;
  const cause = read(error, 'cause');
  if (cause !== undefined) yield cause;
  yield* entriesOf(read(error, 'errors'), MAX_ERRORS);
}
