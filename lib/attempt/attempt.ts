import { now } from '../common/clock.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { isInstance } from '../common/is-error.js';
import { markIfAnswered, markIfSlowed } from '../context/chaos-marks.js';
import {
  failuresSoFar,
  noteFailure,
  type RetriedErrors,
  retriedOutside,
} from '../context/retried-errors.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../context/timeout.error.js';
import { type FailedResult, isFailedResult } from '../errors/failed-result.js';
import type { AttemptPlan, KeptAnswer } from './attempt-plan.js';
import type { Admission, AttemptStage, Permit, Settlement, Timed } from './attempt-stage.js';
import { ADMITTED, type Admitted } from './hooks.js';
import type { StraightAttempt } from './straight.js';

/** Whose attempt it is: told once how it settles, always in the async context of the call. */
export interface AttemptOwner<T> {
  readonly plan: AttemptPlan;
  readonly self: unknown;
  readonly args: readonly unknown[];
  /** Nobody wants to know when an attempt succeeded. */
  readonly isTimeless?: boolean;
  /** What the attempt before failed by; not that it was refused, which is no failure of its own. */
  readonly failedBefore: unknown;
  /** Starts the real work, which tells the attempt how it goes. */
  invoke(attempt: Attempt<T>): void;
  succeeded(value: T, at: number, attempt: Attempt<T>): void;
  failed(error: unknown, attempt: Attempt<T>): void;
  /** Its own time is up; that it failed is told after this. */
  timedOut(timeoutMs: number): void;
  /** Nobody waits for the work of an attempt any more, though it may go on. */
  abandoned(attempt: Attempt<T>): void;
  /** Runs what comes from elsewhere (a timer, another call's end) in the call's async context. */
  inContext(settle: () => void): void;
  /** Something threw where the attempt was to settle: the call ends by that, rather than never. */
  broke(error: unknown): void;
}

/**
 * How far an attempt has come. Two ends are told apart: its caller knows how it went, and the work behind it
 * has really ended, which may be much later.
 */
enum Phase {
  /** Its stages are asked to let it in. */
  New,
  /** One of them lets it wait. */
  Queued,
  /** Its work runs, and its caller waits for that. */
  Running,
  /** Its work has ended; its caller is told at once. */
  Finished,
  /** Its caller knows, and its work still runs: it was cut, or is a stream that has begun. */
  Settled,
  /** Its caller knows, and its work has ended. */
  Over,
  /** Its caller knows that it does not begin. */
  Refused,
}

/** What only some attempts need. */
class Rare {
  /** Gives up the place in a queue. */
  leaveQueue: (() => void) | undefined = undefined;
  /** Called when nobody waits for the work any more. */
  onAbandoned: ((reason: unknown) => void) | undefined = undefined;
  /** By whom it was cut while its stages were asked. */
  cutEarly: { readonly reason: unknown } | undefined = undefined;
  /** Where what it began before this attempt took over has met what is inside. */
  metIn: Scope | undefined = undefined;
  begun = false;
  waitedMs = 0;
  hedge = 0;
  kept: KeptAnswer<unknown> | undefined = undefined;
  isMisjudged = false;
}

/**
 * One attempt: in through its stages, its work, and out through them again.
 *
 * The attempt *settles* once: by its result, by its timeout, or because the caller gave up. The work behind
 * it *finishes* when it really ends; until then it holds what its stages gave it.
 */
export class Attempt<T> extends Scope implements Admitted, Timed {
  previous: Timed | undefined = undefined;
  next: Timed | undefined = undefined;
  admitted = 0;
  permit0: Permit = undefined;
  permit1: Permit = undefined;
  permit2: Permit = undefined;
  permit3: Permit = undefined;
  morePermits: Permit[] | undefined = undefined;
  private phase = Phase.New;
  private rare: Rare | undefined = undefined;
  /** So many failures there had been when it began. */
  private since = failuresSoFar();

  /** @param opened whether its work runs in it; else what is called inside finds the scope around it */
  constructor(
    private readonly owner: AttemptOwner<T>,
    attempt: number,
    madeIn: Scope | undefined,
    readonly startedAt: number,
    readonly opened: boolean,
  ) {
    const { timeoutMs } = owner.plan;
    super(attempt, madeIn, startedAt + timeoutMs, timeoutMs);
  }

  get operation(): string {
    return this.owner.plan.operation;
  }

  get self(): unknown {
    return this.owner.self;
  }

  get args(): readonly unknown[] {
    return this.owner.args;
  }

  get scope(): Scope {
    return this.rare?.metIn ?? this;
  }

  get timed(): Timed {
    return this;
  }

  get ran(): boolean {
    return this.phase >= Phase.Running && this.phase !== Phase.Refused;
  }

  get begun(): boolean {
    return this.rare?.begun === true;
  }

  /** For how long stages have let it wait before its work was begun, in ms. */
  get waitedMs(): number {
    return this.rare?.waitedMs ?? 0;
  }

  override get hedge(): number {
    return this.rare?.hedge ?? 0;
  }

  /** It is made beside others: so many were there. */
  hedged(number: number): void {
    this.rarely().hedge = number;
  }

  /** Its answer, where it has failed by that. */
  get kept(): KeptAnswer<T> | undefined {
    return this.rare?.kept as KeptAnswer<T> | undefined;
  }

  /** What was to judge its result has failed: no attempt will mend that. */
  get isMisjudged(): boolean {
    return this.rare?.isMisjudged === true;
  }

  /** What its work runs in. */
  get inside(): Scope | undefined {
    return this.opened ? this : this.around;
  }

  override get critical(): boolean | undefined {
    return this.owner.plan.critical ?? super.critical;
  }

  override get failedBefore(): unknown {
    return this.owner.failedBefore;
  }

  override get gone(): boolean {
    return super.over && !(this.holds && this.owner.plan.hooks.hold);
  }

  override permitFor(stage: object): Permit {
    const { finished } = stage as { finished?: unknown };
    return finished !== undefined && !this.holds
      ? undefined
      : this.owner.plan.hooks.permitOf(stage, this);
  }

  override isQueued(since: number, at: number): boolean {
    return this.rare?.leaveQueue !== undefined || super.isQueued(since, at);
  }

  override hasRetried(error: unknown): boolean {
    if (this.opened) return super.hasRetried(error);
    return this.retriedInside?.hasSince(error, this.since) ?? false;
  }

  /** Whether it is a constant, which a call inside that gave up has handed on. */
  passesRetried(error: unknown): boolean {
    return this.retriedInside?.passes(error) ?? false;
  }

  /** It has failed by this error. */
  noteFailure(error: unknown): void {
    noteFailure(error, this.since);
  }

  /** Errors of calls inside, among those of others where it has no scope of its own. */
  private get retriedInside(): RetriedErrors | undefined {
    if (this.opened) return this.retriedErrors;
    const { caller } = this;
    return caller === undefined ? retriedOutside : caller.retriedErrors;
  }

  start(): void {
    let waitsAt: number;
    try {
      waitsAt = this.owner.plan.hooks.admit(this, this.startedAt);
    } catch (refusal) {
      this.refuse(refusal, 'failure');
      return;
    }
    this.goOn(waitsAt);
  }

  /** Takes over from one that was to have no need of all this. */
  takeOver(begun: StraightAttempt, isOver: boolean): void {
    this.admitted = begun.admitted;
    this.permit0 = begun.permit0;
    this.permit1 = begun.permit1;
    this.permit2 = begun.permit2;
    this.permit3 = begun.permit3;
    this.morePermits = begun.morePermits;
    this.since = begun.since;
    if (begun.scope !== undefined) this.rarely().metIn = begun.scope;
    if (begun.ran) this.phase = isOver ? Phase.Over : Phase.Running;
  }

  /** @param waitsAt the stage that lets it wait, or `ADMITTED` */
  goOn(waitsAt: number): void {
    const cutEarly = this.rare?.cutEarly;
    if (cutEarly !== undefined) {
      this.phase = Phase.Queued;
      this.cancel(cutEarly.reason);
    } else if (waitsAt === ADMITTED) {
      this.phase = Phase.Running;
      this.owner.invoke(this);
    } else {
      this.wait(waitsAt);
    }
  }

  /** It does not begin: what it was given for its work goes back. */
  refuse(refusal: unknown, how: Settlement): void {
    if (!this.isAwaited) return;
    if (this.admitted === 0) {
      this.phase = Phase.Refused; // no stage has anything to hear of it, or to get back
      this.end();
      this.owner.failed(refusal, this);
      return;
    }
    // What is wrong with the options says nothing about what is called either.
    const isMistake = isInstance(refusal, ResilienceConfigurationError);
    const surfaced = this.settle(isMistake || this.hasLostPatience() ? 'nothing' : how, refusal);
    this.giveBack();
    this.owner.failed(surfaced, this);
  }

  /**
   * @param result what is judged, where that is not the answer itself; `NO_RESULT` where there is none
   * @returns whether the answer is of use: somebody waited for it, and nothing threw that was to judge it
   */
  succeed(value: T, result: unknown = value): boolean {
    if (!this.isAwaited) return false;
    const { plan } = this.owner;
    const at = this.owner.isTimeless === true ? 0 : now();
    this.phase = this.settledPhase;
    try {
      plan.hooks.settle(this, 'success', undefined, at, result);
    } catch (error) {
      return this.answerFailed(error, value, result);
    }
    if (plan.results !== undefined) {
      let failure: FailedResult | undefined;
      try {
        failure = plan.results.judge(result, this.attempt);
      } catch (error) {
        return this.answerMisjudged(error);
      }
      if (failure !== undefined) return this.answerFailed(failure, value, result);
    }
    this.owner.succeeded(value, at, this);
    return true;
  }

  /** The same for a stream that flows on: from now on only its caller's deadline holds. */
  begin(value: T, result: unknown): boolean {
    this.rarely().begun = true;
    const isOfUse = this.succeed(value, result);
    this.expiresAt = Number.POSITIVE_INFINITY;
    return isOfUse;
  }

  /**
   * It has answered, and fails all the same.
   *
   * @param failure a `FailedResult`, where it is by that result
   * @returns whether the answer is kept
   */
  answerFailed(failure: unknown, answer: T, result: unknown = answer): boolean {
    const isByResult = isFailedResult(failure) && Object.is(failure.result, result);
    if (isByResult) {
      markIfAnswered(failure, this);
      this.rarely().kept = { failure, answer };
    }
    this.owner.failed(failure, this);
    return isByResult;
  }

  /** The same where a predicate has thrown instead of judging it. */
  answerMisjudged(error: unknown): false {
    this.rarely().isMisjudged = true;
    this.owner.failed(error, this);
    return false;
  }

  /** Nobody will have its answer. */
  letGo(): void {
    if (this.rare !== undefined) this.rare.kept = undefined;
  }

  fail(error: unknown): void {
    if (!this.isAwaited) return;
    // What an impatient client did to it says nothing about what it calls.
    const surfaced = this.settle(this.hasLostPatience() ? 'nothing' : 'failure', error);
    this.owner.failed(surfaced, this);
  }

  /**
   * The work behind the attempt has really ended.
   *
   * @param answered whether with an answer
   */
  finish(answered = false): void {
    this.end();
    if (this.phase === Phase.Running) this.phase = Phase.Finished;
    else if (this.phase === Phase.Settled) this.phase = Phase.Over;
    else return;
    if (this.rare !== undefined) this.rare.onAbandoned = undefined;
    this.owner.plan.hooks.finish(this, answered);
  }

  /** The timeout has passed. The timer is shared with other calls, and so its async context. */
  expire(): void {
    this.owner.inContext(() => {
      if (!this.isAwaited) return;
      const { operation, captureStackTrace } = this.owner.plan;
      const error = this.impatient
        ? this.outOfTime(operation, captureStackTrace) // the client's time was up before, and its timer is late
        : new TimeoutError(this.ownTimeoutMs, operation, captureStackTrace);
      markIfSlowed(error, this);
      if (!error.byClient) this.owner.timedOut(error.timeoutMs);
      if (!this.isAwaited) return; // it was cut by one who heard of it
      const surfaced = this.settle('cut', error);
      this.abandon(error);
      this.owner.failed(surfaced, this);
    });
  }

  /** The caller gave up, or ran out of time. */
  cancel(reason: unknown): void {
    if (this.phase === Phase.New) {
      this.rarely().cutEarly ??= { reason }; // by one who heard of it: first all stages are asked
      return;
    }
    const { isAwaited } = this;
    if (isAwaited) this.settle('cut', reason);
    this.abandon(reason);
    if (isAwaited) this.owner.failed(reason, this);
  }

  /** Has `onAbandoned` called when nobody waits for the work any more; nothing, where somebody always will. */
  watch(onAbandoned: ((reason: unknown) => void) | undefined): void {
    this.rarely().onAbandoned = onAbandoned;
  }

  private get isAwaited(): boolean {
    return this.phase <= Phase.Finished;
  }

  /** Whether it holds what its stages gave it for its work. */
  private get holds(): boolean {
    return this.phase === Phase.Running || this.phase === Phase.Settled;
  }

  private get settledPhase(): Phase {
    if (this.phase === Phase.Running) return Phase.Settled;
    return this.phase === Phase.Finished ? Phase.Over : Phase.Refused;
  }

  /** @returns the error to surface: that of a stage's predicate where it throws */
  private settle(how: Settlement, error: unknown): unknown {
    this.phase = this.settledPhase;
    try {
      this.owner.plan.hooks.settle(this, how, error, now());
      return error;
    } catch (predicateError) {
      return predicateError;
    }
  }

  private abandon(reason: unknown): void {
    const { rare } = this;
    rare?.leaveQueue?.();
    if (rare !== undefined) rare.leaveQueue = undefined;
    try {
      this.abort(reason);
      rare?.onAbandoned?.(reason);
    } catch {} // whatever those who hear of it throw is dropped
    this.owner.abandoned(this);
    if (this.phase === Phase.Refused) this.giveBack();
  }

  /** What it was given for work that does not begin. */
  private giveBack(): void {
    this.end();
    this.owner.plan.hooks.finish(this, false);
    this.admitted = 0;
  }

  /** The wait is a promise, so that the work starts in its own async context, not in that of the one before it. */
  private wait(place: number): void {
    this.phase = Phase.Queued;
    const stage = this.owner.plan.hooks.stages[place] as AttemptStage;
    const rare = this.rarely();
    const admitted = new Promise<() => Admission>((settle) => {
      rare.leaveQueue = stage.wait?.(this, settle);
    }).then((ask) => {
      rare.leaveQueue = undefined;
      const admission = ask();
      if ('refusal' in admission) this.refuse(admission.refusal, 'failure');
      else if (this.isAwaited) this.admittedLate(place, admission.permit);
      else stage.finished?.(admission.permit, this, false); // it has not run
    });
    admitted.catch((error) => this.owner.broke(error));
  }

  private admittedLate(place: number, permit: Permit): void {
    const { hooks } = this.owner.plan;
    const at = now();
    this.rarely().waitedMs = at - this.startedAt;
    this.phase = Phase.New;
    let waitsAt: number;
    try {
      hooks.confirm(this, at);
    } catch (rejection) {
      hooks.grant(place, this, permit);
      this.refuse(rejection, 'nothing');
      return;
    }
    hooks.grant(place, this, permit);
    try {
      waitsAt = hooks.admitFrom(place + 1, this, at);
    } catch (refusal) {
      this.refuse(refusal, 'failure');
      return;
    }
    this.goOn(waitsAt);
  }

  private rarely(): Rare {
    this.rare ??= new Rare();
    return this.rare;
  }
}
