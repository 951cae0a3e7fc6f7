import type { Attempt } from '../attempt/attempt.js';
import { promised } from '../context/promised.js';
import type { HedgePolicy } from '../hedge/hedge.policy.js';
import { Call } from './call.js';
import type { Work } from './work.js';

/** A call whose work is a promise. */
export class PromiseCall<T> extends Call<T> {
  private isStarting = false;
  /** What the work of the only attempt comes to, where that is the answer. */
  private ofWork: Promise<T> | undefined = undefined;

  protected override get hedge(): HedgePolicy | undefined {
    const { hedge } = this.plan.stages;
    return hedge !== undefined && this.mayRepeat ? hedge : undefined;
  }

  /** A call that nothing can cut is answered by its work's own promise: each one more is paid for. */
  override run(signal?: AbortSignal): Promise<T> {
    const { plan } = this;
    const isCuttable = signal !== undefined || this.madeIn?.mayBeCut === true || plan.mayBeCut;
    if (isCuttable) return super.run(signal);
    this.isStarting = true;
    this.enter();
    this.isStarting = false;
    return this.ofWork ?? this.open();
  }

  protected override keep(value: T, at: number): void {
    this.plan.lastGood?.keep(this.goodKey, value, at);
  }

  override invoke(attempt: Attempt<T>): void {
    let result: Promise<T>;
    try {
      result = this.inScope(attempt, begin<T>, this.work, this.self, this.args, attempt);
    } catch (error) {
      this.failAttempt(attempt, error);
      return;
    }
    // Not in the attempt's scope any more, but in the async context of the call.
    if (this.isStarting) {
      this.ofWork = result.then(
        (value) => {
          this.succeedAttempt(attempt, value);
          return this.answerOf(value);
        },
        (error) => {
          this.failAttempt(attempt, error);
          return this.open();
        },
      );
    } else {
      result.then(
        (value) => this.succeedAttempt(attempt, value),
        (error) => this.failAttempt(attempt, error),
      );
    }
  }

  private succeedAttempt(attempt: Attempt<T>, value: T): void {
    try {
      attempt.finish(true);
      if (attempt.succeed(value)) attempt.flowOn(value);
      else this.discard(value);
    } catch (broken) {
      this.broke(broken);
    }
  }

  /** The work of an attempt has ended by an error. */
  failAttempt(attempt: Attempt<T>, error: unknown): void {
    try {
      attempt.finish();
      attempt.fail(error);
    } catch (broken) {
      this.broke(broken);
    }
  }
}

function begin<T>(work: Work, self: unknown, args: unknown[], attempt: Attempt<T>): Promise<T> {
  return promised(work.begin(self, args, attempt));
}
