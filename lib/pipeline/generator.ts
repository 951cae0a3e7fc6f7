import type { Attempt } from '../attempt/attempt.js';
import { runInScope, surroundings } from '../context/ambient.js';
import { isAsyncGenerator } from '../context/detached.js';
import { NO_RESULT } from '../errors/failed-result.js';
import type { LastGood, Recorded, Recording } from '../fallback/last-good.js';
import type { CallKey } from '../stage/call-keys.js';
import { Begun } from './begun-generator.js';
import { Call } from './call.js';
import type { Plan, Trace } from './plan.js';
import type { Work } from './work.js';

/**
 * A resilient call whose answer is an async generator: an attempt lasts until the first value. What is
 * sent to it, thrown into it and returned passes through, but for the first `next()`, whose argument
 * no generator sees.
 */
export async function* generate<T>(
  operation: { readonly plan: Plan },
  work: Work,
  self: unknown,
  args: unknown[],
): AsyncGenerator<T, unknown, unknown> {
  const { plan } = operation; // of the first `next()`
  const call = new GeneratorCall<T>(plan, work, self, args, surroundings());
  const begun: Begun<T> | T = await (plan.trace === undefined
    ? call.run()
    : traced(plan.trace, call));
  if (begun instanceof Begun) return yield* begun;
  yield begun; // a fallback's answer
  return undefined;
}

/** A tracer sees that it begins or fails, and nothing of what it emits, as of an Observable. */
async function traced<T>(trace: Trace, call: GeneratorCall<T>): Promise<Begun<T> | T> {
  let begun: Begun<T> | T | undefined;
  await trace(async () => {
    begun = await call.run();
  });
  return begun as Begun<T> | T;
}

/** An attempt succeeds by the first value. What follows ends with the caller. */
class GeneratorCall<T> extends Call<Begun<T>> {
  private begun: Begun<T> | undefined = undefined;

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
      const ended = () => attempt.finish();
      attempt.watch(() => {
        // What abandoned work throws is dropped.
        runInScope(attempt.inside, () => values.return(undefined)).then(ended, ended);
      });
      this.inScope(attempt, () => values.next()).then((first) => {
        if (attempt.aborted) {
          if (!first.done) this.discard(first.value); // it has been told to stop
          return;
        }
        const result = first.done ? NO_RESULT : first.value;
        const recording = this.plan.lastGood?.record(this.goodKey);
        const begun = this.goOn(values, first, attempt, recording, ended);
        if (!attempt.begin(begun, result)) this.waste(attempt, first.value);
        if (attempt.kept !== undefined) recording?.stop(); // it counts as a failure
        if (!attempt.aborted) attempt.watch(undefined);
      }, fail);
    } catch (error) {
      fail(error);
    }
  }

  protected override keyFor(lastGood: LastGood): CallKey | undefined {
    return lastGood.keyOfStream(this.self, this.args);
  }

  override replay(kept: unknown): unknown {
    return replayed(kept as Recorded);
  }

  override get keepsAnswers(): boolean {
    return false;
  }

  override stop(attempt: Attempt<Begun<T>>): void {
    this.begun = undefined;
    super.stop(attempt);
  }

  /** The caller gave up: the generator ends, also where it has begun. */
  override cancel(reason: unknown): void {
    super.cancel(reason);
    this.begun?.cut(reason);
  }

  /** A generator that has begun goes on when the call has ended. */
  protected override end(): void {
    if (this.begun === undefined) super.end();
  }

  /** A fallback that is a generator too has answered by its first value. */
  override async accept(answer: unknown): Promise<unknown> {
    return isAsyncGenerator<T>(answer) ? this.goOn(answer, await answer.next()) : answer;
  }

  private goOn(
    values: AsyncGenerator<T, unknown, unknown>,
    first: IteratorResult<T, unknown>,
    attempt?: Attempt<Begun<T>>,
    recording?: Recording,
    ended?: () => void,
  ): Begun<T> {
    this.begun = new Begun(values, first, attempt, recording, () => {
      ended?.();
      super.end();
    });
    return this.begun;
  }
}

async function* replayed<T>({ values, returned }: Recorded): AsyncGenerator<T, unknown, unknown> {
  yield* values as T[];
  return returned;
}
