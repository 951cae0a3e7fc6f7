import { enclosingScope, runInScope } from '../context/ambient.js';
import type { Attempt } from './attempt.js';
import { Execution } from './execution.js';
import type { Plan } from './stages.js';
import type { Work } from './work.js';

/** A resilient call whose answer is an async generator: an attempt lasts until the first value. */
export async function* generate<T>(
  plan: Plan,
  work: Work,
  self: unknown,
  args: unknown[],
): AsyncGenerator<T> {
  const execution = new GeneratorExecution<T>(plan, work, self, args, enclosingScope());
  const begin = () => execution.run();
  const begun: Begun<T> | T = await (plan.trace === undefined ? begin() : plan.trace(begin));
  if (begun instanceof Begun) yield* begun.all();
  else yield begun; // a fallback's answer
}

/** A generator that has given its first value, and the attempt that it gave it in. */
export class Begun<T> {
  constructor(
    private readonly values: AsyncGenerator<T>,
    private readonly first: IteratorResult<T>,
    private readonly attempt: Attempt<Begun<T>>,
  ) {}

  /** The values, from the first on. The attempt's slot is free when they have ended. */
  async *all(): AsyncGenerator<T> {
    try {
      for (let next = this.first; !next.done; next = await this.next()) yield next.value;
    } finally {
      await this.values.return(undefined).finally(() => this.attempt.finish());
    }
  }

  private async next(): Promise<IteratorResult<T>> {
    const { attempt } = this;
    try {
      return await runInScope(attempt, () => this.values.next());
    } catch (error) {
      if (attempt.hasRetried(error)) attempt.caller?.noteRetried(error);
      throw error;
    }
  }
}

/** An attempt succeeds by the first value. */
class GeneratorExecution<T> extends Execution<Begun<T>> {
  override invoke(attempt: Attempt<Begun<T>>): void {
    const fail = (error: unknown) => {
      attempt.finish();
      attempt.fail(error);
    };
    try {
      const values = this.inScope(
        attempt,
        () => this.work.begin(this.self, this.args, attempt) as AsyncGenerator<T>,
      );
      const stop = () => {
        values.return(undefined).then(
          () => attempt.finish(),
          () => attempt.finish(), // what abandoned work throws is dropped
        );
      };
      attempt.onAbandoned = stop;
      this.inScope(attempt, () => values.next()).then((first) => {
        if (!attempt.begun(new Begun(values, first, attempt))) stop();
      }, fail);
    } catch (error) {
      fail(error);
    }
  }
}
