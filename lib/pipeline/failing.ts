import type { Attempt } from '../attempt/attempt.js';
import { now } from '../common/clock.js';
import { openStreamOf } from '../common/open-stream.js';
import { isEvidence, runInScope } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import { errorChain } from '../errors/error-chain.js';
import type { FailedResult } from '../errors/failed-result.js';
import { isImpatience, isRejection } from '../errors/resilience.error.js';
import { type FallbackPolicy, linkCause } from '../fallback/fallback.policy.js';
import { FallbackScope } from '../fallback/fallback-scope.js';
import type { Given } from '../fallback/last-good.js';
import type { UpcomingAttempt } from '../retry/before-retry.js';
import type { RetryDecision, RetrySuppression } from '../retry/retry.policy.js';
import type { FailingCall } from './failing-call.js';
import { judgeFailure } from './final-failure.js';
import { Pause } from './pause.js';
import { Preparation } from './preparation.js';
import { type FailedCall, type FailureOutcome, NOBODY, type PipelineObserver } from './stages.js';

/** What becomes of a call once an attempt has failed: a wait and another attempt, a fallback, or the end. */
export class Failing<T> {
  /** What the attempt before failed by; not that it was refused, which is no failure of its own. */
  failedBefore: unknown = undefined;
  suppressed: RetrySuppression | undefined = undefined;
  /** The attempt that ended last. */
  private last: Attempt<T> | undefined = undefined;
  /** What it failed by, where that was its result. */
  private result: FailedResult | undefined = undefined;
  /** The same attempt, while its answer is kept. */
  private answered: Attempt<T> | undefined = undefined;
  private delayMs: number | undefined = undefined;
  /** Ends what the call waits for. */
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  /** Of the fallback, while it runs. */
  private answering: FallbackScope | undefined = undefined;
  /** What is called was reached by an attempt. */
  private reached = false;
  /** Another attempt would have followed, for which an impatient client left no time. */
  private isCutShort = false;

  constructor(private readonly call: FailingCall<T>) {}

  /** An attempt failed: another one follows, or the end. */
  attemptFailed(failure: unknown, attempt: Attempt<T> | undefined): void {
    const { call } = this;
    const { observer } = call.plan;
    if (attempt !== undefined && attempt === call.current)
      observer.onAttemptFailed(failure, attempt, this.isOver);
    this.last = attempt?.opened ? attempt : undefined;
    if (attempt?.ran && !errorChain(failure).some(isRejection)) this.reached = true;
    if (call.plan.stages.retry !== undefined) attempt?.noteFailure(failure);
    this.result = attempt?.kept?.failure;
    this.answered = this.result && attempt;
    let error = failure;
    let decision: RetryDecision;
    try {
      decision = attempt?.isMisjudged ? undefined : this.decide(error);
    } catch (predicateError) {
      error = predicateError;
      this.letGo();
    }
    if (decision === undefined) {
      this.conclude(error);
    } else if ('outOfTime' in decision) {
      this.isCutShort = this.limit?.impatient === true;
      this.conclude(error);
    } else if ('suppressed' in decision) {
      this.suppressed = decision.suppressed;
      observer.onRetrySuppressed(error, call.attempts, decision.suppressed);
      this.conclude(error);
    } else {
      this.delayMs = decision.delayMs;
      if (!call.keepsAnswers) this.drop();
      if (!isRejection(error)) this.failedBefore = error;
      observer.onRetry(error, call.attempts, this.delayMs);
      this.retryAfter(this.delayMs, error).catch((broken) => call.broke(broken));
    }
  }

  /** The total time has run out: no attempt follows a wait. */
  interruptWait(): void {
    this.interrupt?.(undefined);
  }

  /** The caller gave up. */
  cancel(reason: unknown): void {
    this.answering?.abort(reason);
    this.interrupt?.(reason);
  }

  /** The call ends, whatever becomes of an attempt. */
  private get isOver(): boolean {
    const { cut, total } = this.call;
    return cut !== undefined || total?.aborted === true;
  }

  /** Whose deadline the attempts have. */
  private get limit(): Scope | undefined {
    return this.call.total ?? this.call.caller;
  }

  private decide(error: unknown): RetryDecision {
    const { call } = this;
    const { plan } = call;
    const { retry } = plan.stages;
    if (retry === undefined || call.cut !== undefined || plan.shutdown.closed) return undefined;
    if (call.total?.aborted) return undefined;
    if (call.committed || !(retry.options.idempotent || call.mayRepeat)) return undefined;
    if (retry.options.beforeRetry !== undefined && Preparation.isOf(plan, call.madeIn))
      return undefined; // it would be prepared by itself, for ever
    const at = now();
    return retry.decide({
      call,
      error,
      result: this.result,
      attempt: call.attempts,
      previousDelayMs: this.delayMs,
      elapsedMs: at - call.startedAt,
      remainingMs: (this.limit?.deadline ?? Number.POSITIVE_INFINITY) - at,
      isNested: call.current?.hasRetried(error) === true,
      at,
    });
  }

  private async retryAfter(delayMs: number, failure: unknown): Promise<void> {
    const { call } = this;
    let goesOn = await this.pause(delayMs);
    if (goesOn && call.plan.stages.retry?.options.beforeRetry !== undefined) {
      try {
        goesOn = (await this.prepare(failure)) && !this.isTooLate;
      } catch (error) {
        linkCause(error, failure);
        this.letGo();
        this.conclude(error);
        return;
      }
    }
    if (goesOn && !call.committed) {
      this.drop();
      call.begin(call.attempts + 1, now());
    } else if (call.total?.aborted) {
      this.letGo();
      this.conclude(call.total.reason);
    } else {
      this.conclude(failure);
    }
  }

  /** No attempt begins any more, for want of time. */
  private get isTooLate(): boolean {
    const { plan, startedAt } = this.call;
    const maxDurationMs = plan.stages.retry?.options.maxDurationMs ?? Number.POSITIVE_INFINITY;
    return now() - startedAt >= maxDurationMs;
  }

  /** @returns whether to go on: not where the application closes or the caller gives up */
  private async pause(delayMs: number): Promise<boolean> {
    const { cut, plan } = this.call;
    if (cut !== undefined || plan.shutdown.closed) return false; // by one who heard of the retry
    const pause = new Pause(delayMs);
    this.interrupt = () => pause.stop();
    plan.shutdown.add(pause);
    const goesOn = await pause.over;
    plan.shutdown.delete(pause);
    this.interrupt = undefined;
    return goesOn;
  }

  /** @returns whether the next attempt may begin @throws what `beforeRetry` throws */
  private async prepare(error: unknown): Promise<boolean> {
    const { call } = this;
    const { retry } = call.plan.stages;
    const { shutdown } = call.plan;
    const attempt = call.attempts + 1;
    const preparation = new Preparation(call.plan, attempt, call.total ?? call.madeIn);
    const upcoming: UpcomingAttempt = {
      attempt,
      error,
      get signal() {
        return preparation.signal;
      },
    };
    this.interrupt = (reason) => preparation.stop(reason ?? call.total?.reason);
    shutdown.add(preparation);
    try {
      return await preparation.run(() => retry?.prepare(upcoming, call.self));
    } finally {
      shutdown.delete(preparation);
      this.interrupt = undefined;
    }
  }

  /** The call failed for good: an alert, and a fallback's answer, `null` or the error. */
  private conclude(failure: unknown): void {
    const { call } = this;
    if (call.cut !== undefined) {
      this.giveUp(call.cut.reason);
      return;
    }
    call.total?.leave(); // which does not limit a fallback
    const { stages } = call.plan;
    const { error, isAnswer, fallback, critical } = judgeFailure(
      stages,
      failure,
      call.committed,
      this.result,
    );
    if (error !== failure) this.letGo();
    if (isAnswer) {
      const at = now();
      call.plan.observer.onSuccess(at - call.startedAt, at);
      call.refuse(error);
      return;
    }
    const observer = this.observerOf(failure);
    if (critical && !this.isCutShort) observer.onCriticalFailure(error);
    const given = fallback?.lastGood?.find(call.goodKey);
    if (given !== undefined || fallback?.handler !== undefined)
      this.fallBack(fallback as FallbackPolicy, given, error, critical, observer).catch((broken) =>
        call.broke(broken),
      );
    else this.fail(error, critical, observer);
  }

  /** Nothing more is made of the result of an attempt. */
  private drop(): void {
    if (this.answered !== undefined) this.call.drop(this.answered);
    this.answered = undefined;
  }

  /** The same where an error takes the place of the failure. */
  private letGo(): void {
    this.drop();
    this.result = undefined;
  }

  /** What a client's impatience did to the call is not told: it says nothing about the operation. */
  private observerOf(failure: unknown): PipelineObserver {
    const isImpatient = isImpatience(failure) || this.call.caller?.hasLostPatience();
    return isImpatient ? NOBODY : this.call.plan.observer;
  }

  private async fallBack(
    fallback: FallbackPolicy,
    given: Given | undefined,
    error: unknown,
    critical: boolean | undefined,
    observer: PipelineObserver,
  ): Promise<void> {
    const { call } = this;
    const { answered, result } = this;
    if (answered !== undefined) call.stop(answered);
    let value: unknown;
    try {
      this.answering = new FallbackScope(call.plan, call.plan.operation, call.madeIn);
      value = await this.interruptible(this.answering, () =>
        given === undefined
          ? call.work.answerBy(fallback, error, call.self, call.args)
          : call.replay(given.value),
      );
    } catch (fallbackError) {
      if (call.cut !== undefined) {
        this.giveUp(call.cut.reason);
        return;
      }
      this.drop();
      observer.onFallbackFailure(error, fallbackError);
      if (critical !== false) linkCause(fallbackError, error);
      this.fail(error, critical, observer, { by: fallbackError });
      return;
    } finally {
      this.answering?.end();
    }
    if (result !== undefined && !isMadeOf(value, result.result)) call.discard(result.result);
    observer.onFailure(error, this.failedCall('fallback', given?.ageMs));
    call.answer(value as T);
  }

  /** @param fallen what the fallback has failed by, which the caller sees, unless it is told nothing of the failure */
  private fail(
    error: unknown,
    critical: boolean | undefined,
    observer: PipelineObserver,
    fallen?: { readonly by: unknown },
  ): void {
    const { answered, call } = this;
    const outcome = critical === false && answered === undefined ? 'degraded' : 'failure';
    observer.onFailure(error, this.failedCall(outcome, undefined, fallen?.by));
    if (answered !== undefined) call.concede(answered);
    else if (critical === false) call.answer(null as T);
    else call.refuse(fallen === undefined ? error : fallen.by);
  }

  /** A deadline is a failure; a caller who lost interest, or a client's patience, is nothing at all. */
  private giveUp(reason: unknown): void {
    this.drop();
    const { observer, stages } = this.call.plan;
    if (isEvidence(reason)) {
      if (stages.critical) observer.onCriticalFailure(reason);
      observer.onFailure(reason, this.failedCall('failure'));
    }
    this.call.refuse(reason);
  }

  private failedCall(outcome: FailureOutcome, ageMs?: number, fallbackError?: unknown): FailedCall {
    const { call } = this;
    return {
      outcome,
      attempts: call.attempts,
      durationMs: now() - call.startedAt,
      reached: this.reached,
      retrySuppressed: this.suppressed,
      ageMs,
      fallbackError,
      inside: this.last,
      around: FallbackScope.callerOf(call.caller),
    };
  }

  private interruptible(scope: Scope, work: () => unknown): Promise<unknown> {
    const { call } = this;
    return new Promise((resolve, reject) => {
      this.interrupt = reject;
      if (call.cut !== undefined) throw call.cut.reason; // by one who heard of the failure
      Promise.resolve(runInScope(scope, work))
        .then((answer) => runInScope(scope, () => call.accept(answer)))
        .then(
          (answer) => (call.cut !== undefined ? call.discard(answer) : resolve(answer)),
          reject,
        );
    });
  }
}

/** Whether an answer still reads what a result reads from. */
function isMadeOf(answer: unknown, result: unknown): boolean {
  const stream = openStreamOf(result);
  return answer === result || (stream !== undefined && openStreamOf(answer) === stream);
}
