import { retriedOutside } from '../context/retried-errors.js';
import type { Waiter } from './shared-scope.js';

/** That an error, or a result that counts as a failure, was retried as far as it goes holds for each of those who get it. */
export function noteRetried({ shared, caller, madeIn }: Waiter, failure: unknown): void {
  const retried = shared.retriedBy(failure);
  if (retried === undefined) return;
  if (caller !== undefined) {
    if (!caller.aborted) caller.noteRetried(failure, retried.passes);
  } else if (madeIn?.detached !== true) {
    retriedOutside.add(failure, retried.passes);
  }
}
