import { now } from '../common/clock.js';
import { type OpenPromise, openPromise } from '../common/open-promise.js';
import {
  AMBIENT,
  beginPlain,
  endPlain,
  type PlainCall,
  runInScopeOnce,
  surroundings,
} from '../context/ambient.js';
import type { PolicyScope } from '../context/policy-scope.js';
import { promised } from '../context/promised.js';
import { refuseWithout } from '../context/refusal.js';
import { type AttemptContext, type Dependent, innermost, type Scope } from '../context/scope.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { Attempt, type AttemptOwner, type AttemptPlan } from './attempt.js';
import { type AttemptStage, type Permit, type StageAttempt, WAIT } from './attempt-stage.js';
import { hooksOf } from './hooks.js';

type Work<T> = (attempt: AttemptContext) => PromiseLike<T>;

/** Makes calls through one stage by itself, without a pipeline around it. */
export class Alone {
  private readonly plan: AttemptPlan;

  /** @param inFlight counts the calls */
  constructor(
    private readonly stage: AttemptStage,
    name: string,
    private readonly inFlight: InFlight | undefined,
  ) {
    this.plan = {
      operation: name,
      hooks: hooksOf([stage]),
      critical: undefined,
      timeoutMs: Number.POSITIVE_INFINITY,
      captureStackTrace: false,
    };
  }

  /**
   * @throws what refuses the call, or what `work` throws, untouched; the reason of a caller that gave up
   * before it began
   */
  run<T>(work: Work<T>): Promise<T> {
    this.inFlight?.enter();
    try {
      const around = surroundings();
      return around === undefined && this.stage.needsScope !== true
        ? this.runPlain(work)
        : new AloneCall(this.plan, this.stage, around, work, this.inFlight).run();
    } catch (error) {
      this.inFlight?.leave();
      return Promise.reject(error);
    }
  }

  /**
   * A call that nobody can cut, and that has no scope: an async context of its own is more than all the rest.
   *
   * @throws what refuses it, or what `work` throws without making a promise
   */
  private runPlain<T>(work: Work<T>): Promise<T> {
    const { inFlight, plan, stage } = this;
    const attempt = new PlainAttempt(plan.operation, stage);
    const permit = stage.admit(attempt, 0);
    if (permit === WAIT) return new AloneCall(plan, stage, undefined, work, inFlight).runLater();
    attempt.permit = permit;
    let result: Promise<T>;
    beginPlain(attempt);
    try {
      result = promised(work(AMBIENT));
    } catch (error) {
      attempt.scope = endPlain();
      attempt.end(false, error);
      throw error;
    }
    attempt.scope = endPlain();
    return result.then(
      (value) => {
        inFlight?.leave();
        attempt.end(true, undefined);
        return value;
      },
      (error) => {
        inFlight?.leave();
        attempt.end(false, error);
        throw error;
      },
    );
  }
}

/** As much of an attempt as there is where nothing can end it before its work does. */
class PlainAttempt implements StageAttempt, PlainCall {
  permit: Permit = undefined;
  /** Of what has been called in it before it waited for anything, where that has asked for it. */
  scope: PolicyScope | undefined = undefined;

  constructor(
    readonly operation: string,
    private readonly stage: AttemptStage,
  ) {}

  get attempt(): number {
    return 1;
  }

  /** Nothing depends on it, else the stage would need a scope. */
  get startedAt(): number {
    return 0;
  }

  get ran(): boolean {
    return true;
  }

  get begun(): boolean {
    return false;
  }

  get timed(): undefined {
    return undefined;
  }

  permitFor(stage: object): Permit {
    return stage === this.stage ? this.permit : undefined;
  }

  /** @throws what the stage throws, for the caller */
  end(answered: boolean, error: unknown): void {
    const { permit, scope, stage } = this;
    scope?.leave();
    stage.finished?.(permit, this, answered);
    stage.settled?.(permit, this, answered ? 'success' : 'failure', error, now());
  }
}

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
class AloneCall<T> implements AttemptOwner<T>, Dependent {
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  readonly readsClock: boolean | undefined;
  private readonly attempt: Attempt<T>;
  /** Whose deadline and abort it has. */
  private readonly caller: Scope | undefined;
  private answer: Promise<T> | undefined = undefined;
  /** Of an answer that has to wait. */
  private open: OpenPromise<T | Promise<T>> | undefined = undefined;
  private isCut = false;
  private failure: { readonly error: unknown } | undefined = undefined;

  /** @throws the reason of a caller that has given up */
  constructor(
    readonly plan: AttemptPlan,
    stage: AttemptStage,
    around: Scope | undefined,
    private readonly work: Work<T>,
    private readonly inFlight: InFlight | undefined,
  ) {
    refuseWithout(around);
    this.caller = innermost(around);
    this.readsClock = stage.readsClock;
    const at = this.readsClock === true ? 0 : now();
    this.attempt = new AloneAttempt(this, this.caller?.attempt ?? 1, around, at, true);
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
        if (this.failure !== undefined) throw this.failure.error;
        return value;
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
      if (!this.isCut) this.failure = { error };
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

function begin<T>(work: Work<T>): Promise<T> {
  return promised(work(AMBIENT));
}

const alone = new WeakMap<AttemptStage, Alone>();

/**
 * Calls `fn` through one stage by itself, without a pipeline around it, as `CircuitBreakerPolicy.execute()`
 * does: for an instance of a stage of your own, which was injected.
 *
 * @throws what refuses the call, or what `fn` throws, untouched; the reason of a caller that gave up before
 * it began
 *
 * @example executeThrough(this.quota, () => fetch(url, { signal: currentSignal() }))
 */
export function executeThrough<T>(
  stage: AttemptStage,
  fn: (attempt: AttemptContext) => PromiseLike<T>,
): Promise<T> {
  let through = alone.get(stage);
  if (through === undefined) {
    through = new Alone(stage, 'executeThrough()', undefined);
    alone.set(stage, through);
  }
  return through.run(fn);
}
