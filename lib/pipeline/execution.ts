import { isClientError } from '../common/client-error.js';
import { now } from '../common/clock.js';
import { isDeadline } from '../context/ambient.js';
import type { Dependent, Scope } from '../context/scope.js';
import { type FallbackPolicy, linkCause } from '../fallback/fallback.policy.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import { Attempt, type Invoke } from './attempt.js';
import { Pause } from './shutdown.js';
import type { Passage, Plan } from './stages.js';

/** Whose call it is, for the fallback. */
export interface Origin {
  readonly self: unknown;
  readonly args: readonly unknown[];
  /** How many arguments its method declares. */
  readonly arity?: number;
  /** Whether the answer has begun: then the call is neither repeated nor answered by its fallback. */
  readonly committed?: () => boolean;
  /** Takes an answer that came when nobody waited for it any more. */
  readonly discard?: (answer: unknown) => void;
}

/**
 * One call through a pipeline: its attempts, the waits between them, and what becomes of its final
 * failure.
 *
 * It goes on by `await`, so that retries and fallbacks run in the caller's async context whoever
 * ended the attempt before.
 */
export class Execution<T> implements Dependent {
  private current: Attempt<T> | undefined = undefined;
  private interrupt: ((reason: unknown) => void) | undefined = undefined;
  private cancelled = false;
  private reason: unknown = undefined;

  constructor(
    private readonly plan: Plan,
    private readonly invoke: Invoke<T>,
    private readonly origin: Origin,
    private madeIn: Scope | undefined,
    /** What has to be made of a fallback's answer before it counts as one. */
    private readonly accept?: (answer: unknown) => unknown,
  ) {}

  /** A call that outlives the one that it was made in has no caller any more. */
  private get caller(): Scope | undefined {
    if (this.madeIn?.over) this.madeIn = undefined;
    return this.madeIn;
  }

  /**
   * @throws what the last attempt threw, untouched; the caller's reason where it gave up
   */
  async run(): Promise<T> {
    const startedAt = now();
    let delayMs: number | undefined;
    for (let number = 1; ; number++) {
      let failure: unknown;
      try {
        const value = await this.begin(number, number === 1 ? startedAt : now());
        this.plan.observer.onSuccess(now() - startedAt);
        return value;
      } catch (error) {
        failure = this.current === undefined ? error : this.current.lapse(error);
      }
      try {
        delayMs = this.delayAfter(failure, number, delayMs, startedAt);
      } catch (predicateError) {
        failure = predicateError;
        delayMs = undefined;
      }
      if (delayMs === undefined) return this.conclude(failure, startedAt);
      this.plan.observer.onRetry(failure, number, delayMs);
      if (!(await this.pause(delayMs)) || this.origin.committed?.())
        return this.conclude(failure, startedAt);
    }
  }

  /** Ends the call at once, whatever it is doing. */
  cancel(reason: unknown): void {
    if (this.cancelled) return;
    this.cancelled = true;
    this.reason = reason;
    this.current?.cancel(reason);
    this.interrupt?.(reason);
  }

  private begin(number: number, at: number): Promise<T> {
    const { caller } = this;
    if (caller?.aborted) this.cancel(caller.reason);
    else if (caller !== undefined && caller.deadline <= at) this.cancel(this.outOfTime(caller));
    if (this.cancelled) throw this.reason;
    this.current = new Attempt(this.plan, this.invoke, number, caller, at);
    return this.current.start();
  }

  private outOfTime(caller: Scope): TimeoutError {
    return new TimeoutError(caller.timeoutMs, this.plan.operation, this.plan.captureStackTrace);
  }

  private delayAfter(
    error: unknown,
    attempt: number,
    previousDelayMs: number | undefined,
    startedAt: number,
  ) {
    const { retry } = this.plan.stages;
    if (retry === undefined || this.cancelled || this.plan.shutdown.closed) return undefined;
    if (this.origin.committed?.()) return undefined;
    const at = now();
    const remainingMs = (this.caller?.deadline ?? Number.POSITIVE_INFINITY) - at;
    return retry.delayAfter({
      error,
      attempt,
      previousDelayMs,
      elapsedMs: at - startedAt,
      remainingMs,
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
  private async conclude(failure: unknown, startedAt: number): Promise<T> {
    const { observer, stages } = this.plan;
    let { critical, fallback } = stages;
    let error = failure;
    if (this.cancelled) return this.giveUp(startedAt);
    if (this.origin.committed?.()) {
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
      observer.onSuccess(now() - startedAt);
      throw error;
    }
    if (critical) observer.onCriticalFailure(error);
    if (fallback !== undefined) {
      try {
        const value = await this.interruptible(() => this.answerBy(fallback, error));
        observer.onFailure(error, 'fallback', now() - startedAt, this.passage());
        return value as T;
      } catch (fallbackError) {
        if (this.cancelled) return this.giveUp(startedAt);
        observer.onFallbackFailure(error, fallbackError);
        if (critical !== false) {
          linkCause(fallbackError, error);
          observer.onFailure(error, 'failure', now() - startedAt, this.passage());
          throw fallbackError;
        }
      }
    }
    if (critical === false) {
      observer.onFailure(error, 'degraded', now() - startedAt, this.passage());
      return null as T;
    }
    observer.onFailure(error, 'failure', now() - startedAt, this.passage());
    throw error;
  }

  /** A deadline is a failure; a caller who lost interest is nothing at all. */
  private giveUp(startedAt: number): never {
    const { observer, stages } = this.plan;
    if (isDeadline(this.reason)) {
      if (stages.critical) observer.onCriticalFailure(this.reason);
      observer.onFailure(this.reason, 'failure', now() - startedAt, this.passage());
    }
    throw this.reason;
  }

  private passage(): Passage {
    return { inside: this.current, around: this.caller };
  }

  private answerBy(fallback: FallbackPolicy, error: unknown): unknown {
    const { self, args, arity } = this.origin;
    const answer = fallback.run(error, self, args, arity);
    return this.accept === undefined ? answer : Promise.resolve(answer).then(this.accept);
  }

  private interruptible<R>(work: () => R): Promise<Awaited<R>> {
    return new Promise((resolve, reject) => {
      this.interrupt = reject;
      if (this.cancelled) throw this.reason; // by one who heard of the failure
      Promise.resolve(work()).then(resolve as (value: unknown) => void, reject);
    });
  }
}
