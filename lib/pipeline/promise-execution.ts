import { runInScope } from '../context/ambient.js';
import { promised } from '../context/promised.js';
import type { Attempt } from './attempt.js';
import { Execution } from './execution.js';

/** A call whose work is a promise. */
export class PromiseExecution<T> extends Execution<T> {
  /** In the attempt's scope. */
  start(attempt: Attempt<T>): Promise<T> {
    return promised(this.work.begin(this.self, this.args, attempt));
  }

  override invoke(attempt: Attempt<T>): void {
    let result: Promise<T>;
    try {
      result = runInScope(attempt, begin<T>, this, attempt);
    } catch (error) {
      attempt.finish();
      attempt.fail(error);
      return;
    }
    // Not in the attempt's scope any more, but in the async context of the call.
    result.then(
      (value) => {
        attempt.finish(true);
        if (!attempt.succeed(value)) this.work.discard(value);
      },
      (error) => {
        attempt.finish();
        attempt.fail(error);
      },
    );
  }
}

function begin<T>(execution: PromiseExecution<T>, attempt: Attempt<T>): Promise<T> {
  return execution.start(attempt);
}
