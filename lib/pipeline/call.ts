import { Attempt, type AttemptOwner } from '../attempt/attempt.js';
import type { KeptAnswer } from '../attempt/attempt-plan.js';
import type { StraightAttempt } from '../attempt/straight.js';
import { now } from '../common/clock.js';
import { type OpenPromise, openPromise } from '../common/open-promise.js';
import { closeStreamOf } from '../common/open-stream.js';
import { CallContext } from '../context/ambient.js';
import { isFeigned } from '../context/chaos-marks.js';
import type { Dependent } from '../context/dependent.js';
import { follow, unfollow } from '../context/followed-signals.js';
import { isConstant, retriedOutside } from '../context/retried-errors.js';
import { innermost, type Scope } from '../context/scope.js';
import type { TimeoutError } from '../context/timeout.error.js';
import type { LastGood } from '../fallback/last-good.js';
import type { HedgePolicy } from '../hedge/hedge.policy.js';
import type { CallKey } from '../stage/call-keys.js';
import type { TotalOwner, TotalScope } from '../total-timeout/total-scope.js';
import { Failing } from './failing.js';
import type { FailingCall } from './failing-call.js';
import { HedgedAttempts } from './hedged-attempts.js';
import type { Plan } from './plan.js';
import type { Work } from './work.js';

/**
 * One call through a pipeline: its attempts, one after the other, until it has its answer. What happens
 * between them, and after the last, is told by `Failing`, which a call that goes well never needs.
 *
 * A call that goes well takes no more promises than the one that it returns and the reaction to its
 * work: in a process with an AsyncLocalStorage each one costs. What fails goes on by `await`.
 *
 * It is its own async context: retries, fallbacks and listeners run in that of the caller, whoever ends
 * the attempt.
 */
export abstract class Call<T>
  extends CallContext
  implements AttemptOwner<T>, FailingCall<T>, TotalOwner, Dependent
{
  previous: Dependent | undefined = undefined;
  next: Dependent | undefined = undefined;
  startedAt = 0;
  current: Attempt<T> | HedgedAttempts<T> | undefined = undefined;
  /** Once an attempt has failed, or was refused. */
  failing: Failing<T> | undefined = undefined;
  /** What its attempts run in, where their time is limited together. */
  total: TotalScope | undefined = undefined;
  /** By what a good answer stands in for this one later, or an earlier one for it. */
  goodKey: CallKey | undefined = undefined;
  /** By which it was cancelled. */
  cut: { readonly reason: unknown } | undefined = undefined;
  private settled = false;
  /** Those whose work may still go on; told when the call has been answered. */
  private leftBehind: Attempt<T>[] | undefined = undefined;
  private adoptedBy: Scope | undefined = undefined;
  private signal: AbortSignal | undefined = undefined;
  private opened: OpenPromise<T> | undefined = undefined;

  constructor(
    readonly plan: Plan,
    readonly work: Work,
    readonly self: unknown,
    readonly args: unknown[],
    readonly madeIn: Scope | undefined,
  ) {
    super();
  }

  /** Starts the work of an attempt, which tells the attempt how it goes. */
  abstract invoke(attempt: Attempt<T>): void;

  /** By what its answer is kept, and found by later calls of its kind. */
  protected keyFor(lastGood: LastGood): CallKey | undefined {
    return lastGood.keyOf(this.self, this.args);
  }

  /** It has ended well; what is more than one value is kept at its end. */
  protected keep(_value: T, _at: number): void {}

  /** An answer of its kind, of what was kept of one. */
  replay(kept: unknown): unknown {
    return kept;
  }

  /** What has to be made of a fallback's answer before it counts as one. */
  accept(answer: unknown): unknown {
    return answer;
  }

  /**
   * @param signal cancels the call, like its caller
   * @throws what the last attempt threw, untouched; the caller's reason where it gave up
   */
  run(signal?: AbortSignal): Promise<T> {
    const answer = this.open();
    this.enter(signal);
    return answer;
  }

  /** Makes the first attempt. */
  protected enter(signal?: AbortSignal): void {
    const { plan, caller } = this;
    plan.shutdown.enter();
    if (caller !== undefined) {
      this.adoptedBy = caller;
      caller.adopt(this);
    }
    if (signal !== undefined) {
      this.signal = signal;
      follow(signal, this);
    }
    if (plan.lastGood !== undefined) this.goodKey = this.keyFor(plan.lastGood);
    this.startedAt = now();
    this.total = plan.total?.begin(this, this.madeIn, this.startedAt);
    this.begin(1, this.startedAt);
  }

  /** The promise of the answer. A call that goes well may do without one of its own. */
  protected open(): Promise<T> {
    this.opened ??= openPromise<T>();
    return this.opened.promise;
  }

  /** What the work's own promise is to answer: the call's value, or its promise where that has one. */
  protected answerOf(value: T): T | Promise<T> {
    return this.opened?.promise ?? value;
  }

  /**
   * Takes over from a call that has begun without all this, at its first attempt.
   *
   * @param isOver whether the stages of that have been told how it went
   * @param goOn tells the attempt, or the call, what becomes of it
   */
  takeOver(
    begun: StraightAttempt,
    isOver: boolean,
    goOn: (attempt: Attempt<T>) => void,
  ): Promise<T> {
    const answer = this.open();
    this.startedAt = begun.startedAt;
    const attempt = new Attempt<T>(this, 1, this.madeIn, begun.startedAt, false);
    attempt.takeOver(begun, isOver);
    this.current = attempt;
    goOn(attempt);
    return answer;
  }

  inContext(settle: () => void): void {
    try {
      this.runInAsyncScope(settle);
    } catch (error) {
      this.broke(error);
    }
  }

  broke(error: unknown): void {
    this.cancel(error); // attempts that go on would settle it again
    if (!this.settled) this.refuse(error);
  }

  /** Runs `fn` in the scope of an attempt, where that has opened one; for who is in the async context of the call. */
  protected inScope<R, A extends unknown[]>(
    attempt: Attempt<T>,
    fn: (...args: A) => R,
    ...args: A
  ): R {
    return attempt.opened ? this.runInScope(attempt, fn, ...args) : fn(...args);
  }

  succeeded(value: T, at: number, attempt: Attempt<T>): void {
    if (!isFeigned(attempt)) this.keep(value, at);
    this.plan.observer.onSuccess(at - this.startedAt, at, attempt);
    this.answer(value);
  }

  failed(error: unknown, attempt?: Attempt<T>): void {
    void this.open(); // what its work answers is not the answer
    this.failing ??= new Failing(this);
    this.failing.attemptFailed(error, attempt);
  }

  timedOut(timeoutMs: number): void {
    this.plan.observer.onTimeout(timeoutMs);
  }

  get failedBefore(): unknown {
    return this.failing?.failedBefore;
  }

  abandoned(attempt: Attempt<T>): void {
    if (this.settled) {
      attempt.end();
    } else {
      this.leftBehind ??= [];
      this.leftBehind.push(attempt);
    }
  }

  /** Ends the call at once, whatever it is doing. */
  cancel(reason: unknown): void {
    if (this.cut !== undefined) return;
    this.cut = { reason };
    this.inContext(() => {
      this.current?.cancel(reason);
      this.failing?.cancel(reason);
    });
  }

  ranOut(error: TimeoutError): void {
    this.failing?.interruptWait();
    this.current?.cancel(error);
  }

  /** An answer has come when nobody waits for it any more: what it reads from is freed. */
  discard(answer: unknown): void {
    closeStreamOf(answer);
    this.plan.onDiscard?.(answer);
  }

  /** That of a stream goes on as long as its source does: it cannot wait. */
  get keepsAnswers(): boolean {
    return true;
  }

  drop(attempt: Attempt<T>): void {
    const { kept } = attempt;
    if (kept === undefined) return;
    attempt.letGo();
    this.waste(attempt, kept.failure.result);
  }

  /** Nobody has a use for the result of an attempt. */
  protected waste(attempt: Attempt<T>, result: unknown): void {
    this.stop(attempt);
    this.discard(result);
  }

  stop(attempt: Attempt<T>): void {
    if (!attempt.over) attempt.cancel(unwanted());
  }

  concede(attempt: Attempt<T>): void {
    const { answer, failure } = attempt.kept as KeptAnswer<T>;
    this.noteRetried(failure);
    this.answer(answer);
  }

  /** Only what is one promise can be made twice, side by side. */
  protected get hedge(): HedgePolicy | undefined {
    return undefined;
  }

  /** Nobody has to end the call any more. */
  protected end(): void {
    this.adoptedBy?.release(this);
    if (this.signal !== undefined) unfollow(this.signal, this);
  }

  /** A call that outlives the one that it was made in belongs to the one around that, if any. */
  get caller(): Scope | undefined {
    return innermost(this.madeIn);
  }

  get mayRepeat(): boolean {
    return this.work.mayRepeat(this.args, this.madeIn);
  }

  /** Whether its answer has begun: then it can be neither repeated nor replaced. */
  get committed(): boolean {
    return this.work.isCommitted(this.madeIn);
  }

  get attempts(): number {
    return this.current?.attempt ?? 1;
  }

  begin(number: number, at: number): void {
    try {
      const { caller } = this;
      if (caller?.aborted) this.cancel(caller.reason);
      else if (caller !== undefined && caller.deadline <= at) this.cancel(this.outOfTime(caller));
      if (this.cut !== undefined) throw this.cut.reason;
      if (number === 1) this.plan.budget?.of(this, at).recordFirstAttempt(at);
      this.total?.refuseLate(at);
      const { hedge } = this;
      const madeIn = this.total ?? this.madeIn;
      this.current =
        hedge === undefined
          ? new Attempt(this, number, madeIn, at, this.opensScope(number))
          : new HedgedAttempts(this, hedge, number, madeIn, at);
      this.current.start();
    } catch (error) {
      this.failed(error);
    }
  }

  answer(value: T): void {
    this.settle();
    this.opened?.resolve(value);
  }

  refuse(error: unknown): void {
    this.noteRetried(error);
    this.settle();
    void this.open();
    this.opened?.reject(error);
  }

  /** The first attempt of a call that nothing inside has to know of runs in the scope around it. */
  private opensScope(attempt: number): boolean {
    const { plan, signal, work } = this;
    return (
      attempt > 1 ||
      signal !== undefined ||
      work.needsScope ||
      plan.needsScope ||
      this.isInRepetition
    );
  }

  /** What asks inside for the number of the attempt must not be told that of the call around. */
  private get isInRepetition(): boolean {
    const { caller } = this;
    return caller !== undefined && (caller.attempt > 1 || caller.hedge > 0);
  }

  private outOfTime(caller: Scope): TimeoutError {
    return caller.outOfTime(this.plan.operation, this.plan.captureStackTrace);
  }

  private settle(): void {
    this.settled = true;
    if (this.leftBehind !== undefined) for (const attempt of this.leftBehind) attempt.end();
    this.leftBehind = undefined;
    this.total?.leave();
    this.end();
    this.plan.shutdown.leave();
  }

  /** That an error has been retried as far as it goes, here or further in: nobody further out should. */
  private noteRetried(error: unknown): void {
    const isRetried =
      this.failing?.suppressed !== undefined ||
      this.attempts > 1 ||
      this.current?.hasRetried(error) === true;
    if (!isRetried) return;
    const { caller } = this;
    const passes = isConstant(error) || this.current?.passesRetried(error) === true;
    if (caller !== undefined) {
      // One that was cut itself fails by its own deadline, which no call inside has retried.
      if (!caller.aborted) caller.noteRetried(error, passes);
    } else if (this.madeIn?.detached !== true) {
      retriedOutside.add(error, passes);
    }
  }
}

function unwanted(): DOMException {
  return new DOMException('Its result counts as a failure', 'AbortError');
}
