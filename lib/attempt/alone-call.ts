import { now } from '../common/clock.js';
import { type OpenPromise, openPromise } from '../common/open-promise.js';
import { closeStreamOf } from '../common/open-stream.js';
import { AMBIENT, runInScopeOnce } from '../context/ambient.js';
import type { Dependent } from '../context/dependent.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import { type AttemptContext, innermost, type Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import type { AttemptPlan } from './attempt-plan.js';
import { NO_ARGS } from './attempt-stage.js';

/** What is called, with the attempt around it. */
export type AloneWork<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** For all but its stage, what runs in it is inside its caller. */
class AloneAttempt<T> extends Attempt<T> {
  override get over(): boolean {
    return true;
  }
}

/**
 * The same for a call that its caller may cut, that has to wait, or that has to know what happens inside.
 * It ends when its work does: of its caller's end only its stage is told, and it waits no more.
 */
export class AloneCall<T> implements AttemptOwner<T>, Dependent {
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  private readonly attempt: Attempt<T>;
  /** Whose deadline and abort it has. */
  private readonly caller: Scope | undefined;
  private answer: Promise<T> | undefined = undefined;
  /** Of an answer that has to wait. */
  private open: OpenPromise<T | Promise<T>> | undefined = undefined;
  private isCut = false;
  private failure: { readonly error: unknown } | undefined = undefined;

  /**
   * @param isTimeless whether its stage asks neither when it began nor when it succeeded
   * @throws the reason of a caller that has given up
   */
  constructor(
    readonly plan: AttemptPlan,
    around: Scope | undefined,
    private readonly work: AloneWork<T>,
    private readonly inFlight: InFlight | undefined,
    readonly isTimeless: boolean,
  ) {
    refuseWithout(around);
    this.caller = innermost(around);
    const at = isTimeless ? 0 : now();
    this.attempt = new AloneAttempt(this, this.caller?.attempt ?? 1, around, at, true);
  }

  get self(): undefined {
    return undefined;
  }

  get args(): readonly unknown[] {
    return NO_ARGS;
  }

  get failedBefore(): unknown {
    return undefined;
  }

  run(): Promise<T> {
    this.caller?.adopt(this);
    this.attempt.start();
    return this.answered();
  }

  /** The same where its stage has answered already that it has to wait. */
  runLater(): Promise<T> {
    this.attempt.goOn(0);
    return this.answered();
  }

  private answered(): Promise<T> {
    if (this.answer !== undefined) return this.answer;
    this.open = openPromise();
    return this.open.promise as Promise<T>;
  }

  invoke(attempt: Attempt<T>): void {
    const answer = this.begin(attempt).then(
      (value) => {
        this.end();
        attempt.finish(true);
        attempt.succeed(value);
        if (this.failure === undefined) return value;
        closeStreamOf(value);
        throw this.failure.error;
      },
      (error) => {
        this.end();
        attempt.finish();
        attempt.fail(error);
        throw this.failure === undefined ? error : this.failure.error;
      },
    );
    if (this.open === undefined) this.answer = answer;
    else this.open.resolve(answer);
  }

  private begin(attempt: Attempt<T>): Promise<T> {
    try {
      if (this.open !== undefined) refuseWithout(this.caller); // whose time may be up since
      return runInScopeOnce(attempt, begin<T>, this.work);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  succeeded(): void {}

  failed(error: unknown, attempt: Attempt<T>): void {
    if (attempt.ran) {
      // A result that counts as a failure is the answer all the same.
      if (!this.isCut && attempt.kept === undefined) this.failure = { error };
      return; // the work has its own end, which is the answer
    }
    this.end();
    if (this.open === undefined) this.answer = Promise.reject(error);
    else this.open.reject(error);
  }

  timedOut(): void {}

  abandoned(): void {}

  inContext(settle: () => void): void {
    settle();
  }

  broke(error: unknown): void {
    this.open?.reject(error);
  }

  /** The caller gave up or ran out of time, perhaps long before the call ends. */
  cancel(reason: unknown): void {
    if (this.isCut) return;
    this.isCut = true;
    this.attempt.cancel(reason);
  }

  private end(): void {
    this.inFlight?.leave();
    this.caller?.release(this);
  }
}

function begin<T>(work: AloneWork<T>): Promise<T> {
  return promised(work(AMBIENT));
}
