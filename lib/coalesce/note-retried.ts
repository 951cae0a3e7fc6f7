import { retriedOutside } from '../context/retried-errors.js';
import type { Waiter } from './shared-scope.js';

/** That an error was retried as far as it goes holds for each of those who get it. */
export function noteRetried({ shared, caller, madeIn }: Waiter, error: unknown): void {
  const retried = shared.retriedBy(error);
  if (retried === undefined) return;
  if (caller !== undefined) {
    if (!caller.aborted) caller.noteRetried(error, retried.passes);
  } else if (madeIn?.detached !== true) {
    retriedOutside.add(error, retried.passes);
  }
}
