import { AsyncResource } from 'node:async_hooks';
import { isClientError } from '../common/client-error.js';
import { now } from '../common/clock.js';
import { isDeadline } from '../context/ambient.js';
import { join } from '../context/join.js';
import type { Dependent, Scope } from '../context/scope.js';
import { linkCause } from '../fallback/fallback.policy.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import { Attempt, type AttemptOwner } from './attempt.js';
import { openPromise } from './open-promise.js';
import { Pause } from './shutdown.js';
import type { Passage, Plan } from './stages.js';
import type { Work } from './work.js';

/**
 * One call through a pipeline: its attempts, the waits between them, and what becomes of its final
 * failure.
 *
 * A call that goes well takes no more promises than the one that it returns and the reaction to its
 * work: in a process with an AsyncLocalStorage each one costs. What fails goes on by `await`.
 */
export abstract class Execution<T> implements AttemptOwner<T>, Dependent {
  private current: Attempt<T> | undefined = undefined;
  private startedAt = 0;
  private delayMs: number | undefined = undefined;
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  private cancelled = false;
  private reason: unknown = undefined;
  private context: AsyncResource | undefined = undefined;
  private leave: (() => void) | undefined = undefined;
  private resolve!: (value: T) => void;
  private reject!: (error: unknown) => void;

  constructor(
    readonly plan: Plan,
    protected readonly work: Work,
    private madeIn: Scope | undefined,
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
    const { caller } = this;
    // Retries, fallbacks and listeners run in the caller's async context, whoever ends the attempt.
    if (this.plan.stages.timeout !== undefined || caller !== undefined || signal !== undefined)
      this.context = new AsyncResource('ResilientCall');
    if (caller !== undefined || signal !== undefined) this.leave = join(this, caller, signal);
    this.startedAt = now();
    this.begin(1, this.startedAt);
    return promise;
  }

  inContext(settle: () => void): void {
    if (this.context === undefined) settle();
    else this.context.runInAsyncScope(settle);
  }

  succeeded(value: T, at: number): void {
    this.plan.observer.onSuccess(at - this.startedAt, at);
    this.end();
    this.resolve(value);
  }

  /** An attempt failed: another one follows, or the end. */
  failed(error: unknown): void {
    this.goOn(error).then(
      (answer) => {
        if (answer === undefined) return; // another attempt has begun
        this.end();
        this.resolve(answer.value);
      },
      (finalError) => {
        this.end();
        this.reject(finalError);
      },
    );
  }

  /** Ends the call at once, whatever it is doing. */
  cancel(reason: unknown): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.reason = reason;
    this.inContext(() => {
      this.current?.cancel(reason);
      this.interrupt?.(reason);
    });
  }

  /** Nobody has to end the call any more. */
  protected end(): void {
    this.leave?.();
  }

  /** A call that outlives the one that it was made in has no caller any more. */
  private get caller(): Scope | undefined {
    if (this.madeIn?.over) this.madeIn = undefined;
    return this.madeIn;
  }

  private begin(number: number, at: number): void {
    try {
      const { caller } = this;
      if (caller?.aborted) this.cancel(caller.reason);
      else if (caller !== undefined && caller.deadline <= at) this.cancel(this.outOfTime(caller));
      if (this.cancelled) throw this.reason;
      this.current = new Attempt(this, number, caller, at);
      this.current.start();
    } catch (error) {
      this.failed(error);
    }
  }

  private outOfTime(caller: Scope): TimeoutError {
    return new TimeoutError(caller.timeoutMs, this.plan.operation, this.plan.captureStackTrace);
  }

  /** @returns the answer in place of the failure; `undefined` where another attempt has begun */
  private async goOn(failure: unknown): Promise<{ value: T } | undefined> {
    const number = this.current?.attempt ?? 1;
    let error = failure;
    try {
      this.delayMs = this.delayAfter(error, number);
    } catch (predicateError) {
      error = predicateError;
      this.delayMs = undefined;
    }
    if (this.delayMs !== undefined) {
      this.plan.observer.onRetry(error, number, this.delayMs);
      if ((await this.pause(this.delayMs)) && !this.work.committed) {
        this.begin(number + 1, now());
        return undefined;
      }
    }
    return { value: await this.conclude(error) };
  }

  private delayAfter(error: unknown, attempt: number): number | undefined {
    const { retry } = this.plan.stages;
    if (retry === undefined || this.cancelled || this.plan.shutdown.closed) return undefined;
    if (this.work.committed) return undefined;
    const at = now();
    return retry.delayAfter({
      error,
      attempt,
      previousDelayMs: this.delayMs,
      elapsedMs: at - this.startedAt,
      remainingMs: (this.caller?.deadline ?? Number.POSITIVE_INFINITY) - at,
    });
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
  private async conclude(failure: unknown): Promise<T> {
    const { observer, stages } = this.plan;
    let { critical, fallback } = stages;
    let error = failure;
    if (this.cancelled) return this.giveUp();
    if (this.work.committed) {
      fallback = undefined;
      if (critical === false) critical = undefined; // nor is it replaced by null
    }
    let answer = isClientError(error);
    try {
      const says = fallback?.answers(error);
      if (says === false) fallback = undefined;
      if (says === true) answer = false;
    } catch (predicateError) {
      error = predicateError;
      fallback = undefined;
      answer = false;
    }
    if (answer) {
      const at = now();
      observer.onSuccess(at - this.startedAt, at);
      throw error;
    }
    if (critical) observer.onCriticalFailure(error);
    if (fallback !== undefined) {
      try {
        const answerBy = () => this.work.answerBy(fallback, error);
        const value = await this.interruptible(answerBy);
        observer.onFailure(error, 'fallback', this.elapsedMs, this.passage());
        return value as T;
      } catch (fallbackError) {
        if (this.cancelled) return this.giveUp();
        observer.onFallbackFailure(error, fallbackError);
        if (critical !== false) {
          linkCause(fallbackError, error);
          observer.onFailure(error, 'failure', this.elapsedMs, this.passage());
          throw fallbackError;
        }
      }
    }
    if (critical === false) {
      observer.onFailure(error, 'degraded', this.elapsedMs, this.passage());
      return null as T;
    }
    observer.onFailure(error, 'failure', this.elapsedMs, this.passage());
    throw error;
  }

  /** A deadline is a failure; a caller who lost interest is nothing at all. */
  private giveUp(): never {
    const { observer, stages } = this.plan;
    if (isDeadline(this.reason)) {
      if (stages.critical) observer.onCriticalFailure(this.reason);
      observer.onFailure(this.reason, 'failure', this.elapsedMs, this.passage());
    }
    throw this.reason;
  }

  private get elapsedMs(): number {
    return now() - this.startedAt;
  }

  private passage(): Passage {
    return { inside: this.current, around: this.caller };
  }

  private interruptible(work: () => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.interrupt = reject;
      if (this.cancelled) throw this.reason; // by one who heard of the failure
      Promise.resolve(work())
        .then((answer) => this.accept(answer))
        .then(resolve, reject);
    });
  }
}
