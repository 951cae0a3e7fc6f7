import { isObservable } from 'rxjs';
import { ask } from '../common/answers.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { isInstance } from '../common/is-error.js';
import { isClientError } from '../errors/client-error.js';
import type { FailedResult } from '../errors/failed-result.js';
import { isResilienceError } from '../errors/resilience.error.js';
import { forbidsRetry, retryAfterMs } from '../errors/retry-after.js';
import { type Backoff, backoffOf } from './backoff.js';
import type { BeforeRetry, UpcomingAttempt } from './before-retry.js';
import {
  checkRetryOptions,
  type ResolvedRetryOptions,
  type RetryOptions,
  resolveRetryOptions,
} from './retry.options.js';
import type { BudgetedCall, BudgetSource } from './retry-budget.js';

/** A failed attempt, as the retry policy judges it. */
export interface FailedAttempt {
  /** That it belongs to. */
  call: BudgetedCall;
  error: unknown;
  /** Where it failed by its result: the error. */
  result?: FailedResult | undefined;
  /** Counts from 1. */
  attempt: number;
  /** The wait before this attempt, in ms; `undefined` before the first. */
  previousDelayMs: number | undefined;
  /** Since the first attempt began, in ms. */
  elapsedMs: number;
  /** What the caller's deadline leaves, in ms. */
  remainingMs: number;
  /** Whether a call inside this process has already retried the error until it gave up. */
  isNested: boolean;
  /** On the monotonic clock. */
  at: number;
}

/** Why a failed attempt that is worth a retry gets none: it would make an outage worse. */
export type RetrySuppression = 'budget' | 'nested';

/** What follows a failed attempt. */
export type RetryDecision =
  | { readonly delayMs: number }
  | { readonly suppressed: RetrySuppression }
  | { readonly outOfTime: true }
  | undefined;

/** Decides whether a failed attempt is followed by another, and after which wait. It does not wait itself. */
export class RetryPolicy {
  readonly options: Readonly<ResolvedRetryOptions>;
  private readonly backoff: Backoff;

  /** @throws ResilienceConfigurationError */
  constructor(
    options: RetryOptions = {},
    readonly place = 'RetryPolicy',
    readonly budget?: BudgetSource,
  ) {
    this.options = resolveRetryOptions(checkRetryOptions(place, options));
    this.backoff = backoffOf(this.options, place);
  }

  /**
   * @returns the wait in ms before the next attempt, or why there is none although it would be worth
   * one; `undefined` where it is not
   * @throws what a predicate or `delayMs` throws
   */
  decide(failed: FailedAttempt): RetryDecision {
    const { maxAttempts, maxDelayMs, maxDurationMs, respectRetryAfter, retryNested } = this.options;
    if (failed.attempt >= maxAttempts || !this.isWorthAnother(failed)) return undefined;
    if (failed.isNested && !retryNested) return { suppressed: 'nested' };
    if (respectRetryAfter && forbidsRetry(failed.error)) return { suppressed: 'nested' };
    const asked = respectRetryAfter ? (retryAfterMs(failed.error) ?? 0) : 0;
    if (asked > maxDelayMs) return undefined;
    const delayMs = Math.max(
      asked,
      this.backoff.delayMs(failed.attempt, failed.error, failed.previousDelayMs),
    );
    if (delayMs >= failed.remainingMs) return { outOfTime: true };
    if (maxDurationMs !== undefined && failed.elapsedMs + delayMs >= maxDurationMs)
      return undefined;
    if (this.budget?.of(failed.call, failed.at).tryRetry(failed.at) === false)
      return { suppressed: 'budget' };
    return { delayMs };
  }

  /** The shortest wait that may come before a retry, in ms; the first retry is 1. */
  shortestDelayMs(retry: number): number {
    return this.backoff.shortestMs(retry);
  }

  /**
   * Runs what comes before another attempt.
   *
   * @throws what that throws; a ResilienceConfigurationError where it returns an Observable
   */
  prepare(upcoming: UpcomingAttempt, self: unknown): unknown {
    const begun = this.runBefore(upcoming, self);
    if (!isObservable(begun)) return begun;
    throw new ResilienceConfigurationError(
      `${this.place}.beforeRetry`,
      'returned an Observable, which nobody subscribes to; allowed: a promise, or nothing',
    );
  }

  private runBefore(upcoming: UpcomingAttempt, self: unknown): unknown {
    const { beforeRetry } = this.options;
    if (typeof beforeRetry === 'function') return beforeRetry.call(self, upcoming);
    const methods = self as Record<PropertyKey, BeforeRetry | undefined>;
    return methods[beforeRetry as PropertyKey]?.(upcoming);
  }

  /**
   * @returns whether a result is worth another attempt; `undefined` where nothing is said of results
   * @throws what `retryableResults` throws
   */
  retriesResult(result: unknown, attempt: number): boolean | undefined {
    const { retryableResults } = this.options;
    return retryableResults && ask(this, 'retryableResults', retryableResults(result, attempt));
  }

  private isWorthAnother({ error, result, attempt }: FailedAttempt): boolean {
    if (result === undefined) return this.isRetryable(error, attempt);
    return (result.verdict.retryable ?? this.retriesResult(result.result, attempt)) === true;
  }

  private isRetryable(error: unknown, attempt: number): boolean {
    const { retryableErrors } = this.options;
    if (isInstance(error, ResilienceConfigurationError)) return false; // no attempt will mend it
    if (retryableErrors === undefined)
      return !isClientError(error) && !isResilienceError(error, 'CIRCUIT_OPEN');
    if (typeof retryableErrors === 'function')
      return ask(this, 'retryableErrors', retryableErrors(error, attempt));
    return retryableErrors.some((type) => isInstance(error, type));
  }
}
