import { runInScope } from '../context/ambient.js';
import type { AttemptContext } from '../context/scope.js';
import type { Attempt } from './attempt.js';
import { Execution } from './execution.js';
import type { Work } from './work.js';

/** A call whose work is a promise. */
export class PromiseExecution<T> extends Execution<T> {
  override invoke(attempt: Attempt<T>): void {
    let result: Promise<T>;
    try {
      result = runInScope(attempt, begin<T>, this.work, attempt);
    } catch (error) {
      attempt.finish();
      attempt.fail(error);
      return;
    }
    // Not in the attempt's scope any more, but in the async context of the call.
    result.then(
      (value) => {
        attempt.finish();
        if (!attempt.succeed(value)) this.work.discard(value);
      },
      (error) => {
        attempt.finish();
        attempt.fail(error);
      },
    );
  }
}

/** A thenable (a query builder, a lazy promise) begins when `then` is called, and that happens once. */
function begin<T>(work: Work, attempt: AttemptContext): Promise<T> {
  const result = work.begin(attempt);
  return (result instanceof Promise ? result : Promise.resolve(result)) as Promise<T>;
}
