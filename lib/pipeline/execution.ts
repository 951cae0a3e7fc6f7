import { now } from '../common/clock.js';
import { closeStream, openStreamOf } from '../common/open-stream.js';
import { isImpatience, isRejection } from '../common/resilience.error.js';
import { CallContext, isEvidence, runInScope } from '../context/ambient.js';
import { errorChain } from '../context/error-chain.js';
import { join } from '../context/join.js';
import { type Dependent, innermost, type Scope } from '../context/scope.js';
import { type FallbackPolicy, linkCause } from '../fallback/fallback.policy.js';
import { FallbackScope } from '../fallback/fallback-scope.js';
import type { HedgePolicy } from '../hedge/hedge.policy.js';
import type { RetryDecision, RetrySuppression } from '../retry/retry.policy.js';
import type { TimeoutError } from '../timeout/timeout.error.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { judgeFailure } from './final-failure.js';
import { HedgedAttempts } from './hedged-attempts.js';
import { openPromise } from './open-promise.js';
import { Pause } from './pause.js';
import {
  type FailedCall,
  type FailureOutcome,
  NOBODY,
  type PipelineObserver,
  type Plan,
} from './stages.js';
import type { Work } from './work.js';

/**
 * One call through a pipeline: its attempts, the waits between them, and what becomes of its final
 * failure.
 *
 * A call that goes well takes no more promises than the one that it returns and the reaction to its
 * work: in a process with an AsyncLocalStorage each one costs. What fails goes on by `await`.
 */
export abstract class Execution<T> implements AttemptOwner<T>, Dependent {
  failedBefore: unknown = undefined;
  private current: Attempt<T> | HedgedAttempts<T> | undefined = undefined;
  /** The one that ended last. */
  private last: Attempt<T> | undefined = undefined;
  /** Those whose work may still go on; told when the call has been answered. */
  private leftBehind: Attempt<T>[] | undefined = undefined;
  private settled = false;
  private startedAt = 0;
  private delayMs: number | undefined = undefined;
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  /** Of the fallback, while it runs. */
  private answering: FallbackScope | undefined = undefined;
  private cancelled = false;
  private suppressed: RetrySuppression | undefined = undefined;
  /** What is called was reached by an attempt. */
  private reached = false;
  /** Another attempt would have followed, for which an impatient client left no time. */
  private isCutShort = false;
  private reason: unknown = undefined;
  private context: CallContext | undefined = undefined;
  private leave: (() => void) | undefined = undefined;
  private resolve!: (value: T) => void;
  private reject!: (error: unknown) => void;

  constructor(
    readonly plan: Plan,
    protected readonly work: Work,
    protected readonly self: unknown,
    protected readonly args: unknown[],
    private readonly madeIn: Scope | undefined,
  ) {}

  /** Starts the work of an attempt, which tells the attempt how it goes. */
  abstract invoke(attempt: Attempt<T>): void;

  /** What has to be made of a fallback's answer before it counts as one. */
  protected accept(answer: unknown): unknown {
    return answer;
  }

  /**
   * @param signal cancels the call, like its caller
   * @throws what the last attempt threw, untouched; the caller's reason where it gave up
   */
  run(signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = openPromise<T>();
    this.resolve = resolve;
    this.reject = reject;
    this.plan.shutdown.enter();
    const { caller } = this;
    const mayBeEnded =
      this.plan.stages.timeout !== undefined || caller !== undefined || signal !== undefined;
    // Retries, fallbacks and listeners run in the caller's async context, whoever ends the attempt.
    if (mayBeEnded || CallContext.isCheap) this.context = new CallContext();
    if (caller !== undefined || signal !== undefined) this.leave = join(this, caller, signal);
    this.startedAt = now();
    const { retry, hedge } = this.plan.stages;
    (retry ?? hedge)?.budget?.recordFirstAttempt(this.startedAt);
    this.begin(1, this.startedAt);
    return promise;
  }

  inContext(settle: () => void): void {
    try {
      if (this.context === undefined) settle();
      else this.context.runInAsyncScope(settle);
    } catch (error) {
      this.broke(error);
    }
  }

  broke(error: unknown): void {
    this.cancel(error); // attempts that go on would settle it again
    if (!this.settled) this.refuse(error);
  }

  /** Runs `fn` in the scope of an attempt; for who is in the async context of the call. */
  protected inScope<R, A extends unknown[]>(
    attempt: Attempt<T>,
    fn: (...args: A) => R,
    ...args: A
  ): R {
    return this.context === undefined
      ? runInScope(attempt, fn, ...args)
      : this.context.runInScope(attempt, fn, ...args);
  }

  succeeded(value: T, at: number): void {
    this.plan.observer.onSuccess(at - this.startedAt, at);
    this.answer(value);
  }

  /** An attempt failed: another one follows, or the end. */
  failed(failure: unknown, attempt?: Attempt<T>): void {
    this.last = attempt;
    if (attempt?.ran && !errorChain(failure).some(isRejection)) this.reached = true;
    let error = failure;
    let decision: RetryDecision;
    try {
      decision = this.decide(error);
    } catch (predicateError) {
      error = predicateError;
    }
    if (decision === undefined) {
      this.conclude(error);
    } else if ('outOfTime' in decision) {
      this.isCutShort = this.caller?.impatient === true;
      this.conclude(error);
    } else if ('suppressed' in decision) {
      this.suppressed = decision.suppressed;
      this.plan.observer.onRetrySuppressed(error, this.attempts, decision.suppressed);
      this.conclude(error);
    } else {
      this.delayMs = decision.delayMs;
      if (!isRejection(error)) this.failedBefore = error;
      this.plan.observer.onRetry(error, this.attempts, this.delayMs);
      this.retryAfter(this.delayMs, error).catch((broken) => this.broke(broken));
    }
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
    if (this.cancelled) return;
    this.cancelled = true;
    this.reason = reason;
    this.inContext(() => {
      this.current?.cancel(reason);
      this.answering?.abort(reason);
      this.interrupt?.(reason);
    });
  }

  /** An answer has come when nobody waits for it any more: what it reads from is freed. */
  protected discard(answer: unknown): void {
    const stream = openStreamOf(answer);
    if (stream !== undefined) closeStream(stream);
    this.plan.onDiscard?.(answer);
  }

  /** Only what is one promise can be made twice, side by side. */
  protected get hedge(): HedgePolicy | undefined {
    return undefined;
  }

  /** Nobody has to end the call any more. */
  protected end(): void {
    this.leave?.();
  }

  /** A call that outlives the one that it was made in belongs to the one around that, if any. */
  private get caller(): Scope | undefined {
    return innermost(this.madeIn);
  }

  protected get mayRepeat(): boolean {
    return this.work.mayRepeat(this.args, this.madeIn);
  }

  private get committed(): boolean {
    return this.work.isCommitted(this.madeIn);
  }

  private begin(number: number, at: number): void {
    try {
      const { caller } = this;
      if (caller?.aborted) this.cancel(caller.reason);
      else if (caller !== undefined && caller.deadline <= at) this.cancel(this.outOfTime(caller));
      if (this.cancelled) throw this.reason;
      const { hedge } = this;
      this.current =
        hedge === undefined
          ? new Attempt(this, number, this.madeIn, at)
          : new HedgedAttempts(this, hedge, number, this.madeIn, at);
      this.current.start();
    } catch (error) {
      this.failed(error);
    }
  }

  private outOfTime(caller: Scope): TimeoutError {
    return caller.outOfTime(this.plan.operation, this.plan.captureStackTrace);
  }

  private get attempts(): number {
    return this.current?.attempt ?? 1;
  }

  private decide(error: unknown): RetryDecision {
    const { retry } = this.plan.stages;
    if (retry === undefined || this.cancelled || this.plan.shutdown.closed) return undefined;
    if (this.committed || !(retry.options.idempotent || this.mayRepeat)) return undefined;
    const at = now();
    return retry.decide({
      error,
      attempt: this.attempts,
      previousDelayMs: this.delayMs,
      elapsedMs: at - this.startedAt,
      remainingMs: (this.caller?.deadline ?? Number.POSITIVE_INFINITY) - at,
      isNested: this.current?.hasRetried(error) === true,
      at,
    });
  }

  private async retryAfter(delayMs: number, failure: unknown): Promise<void> {
    if ((await this.pause(delayMs)) && !this.committed) this.begin(this.attempts + 1, now());
    else this.conclude(failure);
  }

  /** @returns whether to go on: not where the application closes or the caller gives up */
  private async pause(delayMs: number): Promise<boolean> {
    if (this.cancelled || this.plan.shutdown.closed) return false; // by one who heard of the retry
    const pause = new Pause(delayMs);
    this.interrupt = () => pause.stop();
    this.plan.shutdown.add(pause);
    const goesOn = await pause.over;
    this.plan.shutdown.delete(pause);
    this.interrupt = undefined;
    return goesOn;
  }

  /** The call failed for good: by API.md's table, an alert, a fallback, `null` or the error. */
  private conclude(failure: unknown): void {
    if (this.cancelled) {
      this.giveUp();
      return;
    }
    const { stages } = this.plan;
    const { error, isAnswer, fallback, critical } = judgeFailure(stages, failure, this.committed);
    if (isAnswer) {
      const at = now();
      this.plan.observer.onSuccess(at - this.startedAt, at);
      this.refuse(error);
      return;
    }
    const observer = this.observerOf(failure);
    if (critical && !this.isCutShort) observer.onCriticalFailure(error);
    if (fallback !== undefined)
      this.fallBack(fallback, error, critical, observer).catch((broken) => this.broke(broken));
    else this.fail(error, error, critical, observer);
  }

  /** What a client's impatience did to the call is not told: it says nothing about the operation. */
  private observerOf(failure: unknown): PipelineObserver {
    const isImpatient = isImpatience(failure) || this.caller?.hasLostPatience();
    return isImpatient ? NOBODY : this.plan.observer;
  }

  private async fallBack(
    fallback: FallbackPolicy,
    error: unknown,
    critical: boolean | undefined,
    observer: PipelineObserver,
  ): Promise<void> {
    let value: unknown;
    try {
      this.answering = new FallbackScope(this.plan, this.plan.operation, this.madeIn);
      value = await this.interruptible(this.answering, () =>
        this.work.answerBy(fallback, error, this.self, this.args),
      );
    } catch (fallbackError) {
      if (this.cancelled) {
        this.giveUp();
        return;
      }
      observer.onFallbackFailure(error, fallbackError);
      if (critical !== false) linkCause(fallbackError, error);
      this.fail(error, fallbackError, critical, observer);
      return;
    } finally {
      this.answering?.end();
    }
    observer.onFailure(error, this.failedCall('fallback'));
    this.answer(value as T);
  }

  /** @param surfaced what the caller sees, unless it is told nothing of the failure */
  private fail(
    error: unknown,
    surfaced: unknown,
    critical: boolean | undefined,
    observer: PipelineObserver,
  ): void {
    const outcome = critical === false ? 'degraded' : 'failure';
    observer.onFailure(error, this.failedCall(outcome));
    if (critical === false) this.answer(null as T);
    else this.refuse(surfaced);
  }

  /** A deadline is a failure; a caller who lost interest, or a client's patience, is nothing at all. */
  private giveUp(): void {
    const { observer, stages } = this.plan;
    if (isEvidence(this.reason)) {
      if (stages.critical) observer.onCriticalFailure(this.reason);
      observer.onFailure(this.reason, this.failedCall('failure'));
    }
    this.refuse(this.reason);
  }

  private answer(value: T): void {
    this.settle();
    this.resolve(value);
  }

  private refuse(error: unknown): void {
    const { caller } = this;
    // One that was cut itself fails by its own deadline, which no call inside has retried.
    if (caller?.aborted === false && this.wasRetried(error))
      caller.noteRetried(error, this.isConstant(error));
    this.settle();
    this.reject(error);
  }

  private settle(): void {
    this.settled = true;
    if (this.leftBehind !== undefined) for (const attempt of this.leftBehind) attempt.end();
    this.leftBehind = undefined;
    this.end();
    this.plan.shutdown.leave();
  }

  /** Whether it has been retried as far as it goes, here or further in: nobody further out should. */
  private wasRetried(error: unknown): boolean {
    return (
      this.suppressed !== undefined || this.attempts > 1 || this.current?.hasRetried(error) === true
    );
  }

  /** Whether several attempts have failed by this very error, here or further in. */
  private isConstant(error: unknown): boolean {
    return (
      (this.attempts > 1 && error === this.failedBefore) ||
      this.current?.hasRetriedConstant(error) === true
    );
  }

  private failedCall(outcome: FailureOutcome): FailedCall {
    return {
      outcome,
      attempts: this.attempts,
      durationMs: now() - this.startedAt,
      reached: this.reached,
      retrySuppressed: this.suppressed,
      inside: this.last,
      around: FallbackScope.callerOf(this.caller),
    };
  }

  private interruptible(scope: Scope, work: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.interrupt = reject;
      if (this.cancelled) throw this.reason; // by one who heard of the failure
      Promise.resolve(runInScope(scope, work))
        .then((answer) => runInScope(scope, () => this.accept(answer)))
        .then((answer) => (this.cancelled ? this.discard(answer) : resolve(answer)), reject);
    });
  }
}
