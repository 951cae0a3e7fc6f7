import { isClientError } from '../common/client-error.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { FailedResult } from '../common/failed-result.js';
import { isInstance } from '../common/is-error.js';
import { ask } from '../common/options.js';
import { isResilienceError } from '../common/resilience.error.js';
import {
  checkRetryOptions,
  type ResolvedRetryOptions,
  type RetryOptions,
  resolveRetryOptions,
} from './retry.options.js';
import { forbidsRetry, retryAfterMs } from './retry-after.js';
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

  /** @throws ResilienceConfigurationError */
  constructor(
    options: RetryOptions = {},
    place = 'RetryPolicy',
    readonly budget?: BudgetSource,
  ) {
    this.options = resolveRetryOptions(checkRetryOptions(place, options));
  }

  /**
   * @returns the wait in ms before the next attempt, or why there is none although it would be worth
   * one; `undefined` where it is not
   * @throws what a predicate throws
   */
  decide(failed: FailedAttempt): RetryDecision {
    const { maxAttempts, maxDelayMs, maxDurationMs, respectRetryAfter, retryNested } = this.options;
    if (failed.attempt >= maxAttempts || !this.isWorthAnother(failed)) return undefined;
    if (failed.isNested && !retryNested) return { suppressed: 'nested' };
    if (respectRetryAfter && forbidsRetry(failed.error)) return { suppressed: 'nested' };
    const asked = respectRetryAfter ? (retryAfterMs(failed.error) ?? 0) : 0;
    if (asked > maxDelayMs) return undefined;
    const delayMs = Math.max(asked, this.backoff(failed.attempt, failed.previousDelayMs));
    if (delayMs >= failed.remainingMs) return { outOfTime: true };
    if (maxDurationMs !== undefined && failed.elapsedMs + delayMs >= maxDurationMs)
      return undefined;
    if (this.budget?.of(failed.call, failed.at).tryRetry(failed.at) === false)
      return { suppressed: 'budget' };
    return { delayMs };
  }

  /** The shortest wait that may come before a retry, in ms; the first retry is 1. */
  shortestDelayMs(retry: number): number {
    const { baseDelayMs, maxDelayMs, factor, jitter } = this.options;
    if (jitter === 'full') return 0;
    if (jitter === 'decorrelated') return Math.min(maxDelayMs, baseDelayMs);
    const growth = Math.min(Number.MAX_VALUE, factor ** (retry - 1));
    const delayMs = Math.min(maxDelayMs, baseDelayMs * growth);
    return jitter === 'equal' ? delayMs / 2 : delayMs;
  }

  /**
   * @returns whether a result is worth another attempt; `undefined` where nothing is said of results
   * @throws what `retryableResults` throws
   */
  retriesResult(result: unknown, attempt: number): boolean | undefined {
    const { retryableResults } = this.options;
    return retryableResults && ask('retryableResults', retryableResults(result, attempt));
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
      return ask('retryableErrors', retryableErrors(error, attempt));
    return retryableErrors.some((type) => isInstance(error, type));
  }

  private backoff(retry: number, previousDelayMs: number | undefined): number {
    const { baseDelayMs, maxDelayMs, factor, jitter } = this.options;
    if (jitter === 'decorrelated') {
      const highest = Math.max(baseDelayMs, 3 * (previousDelayMs ?? baseDelayMs));
      return Math.min(maxDelayMs, uniform(baseDelayMs, highest));
    }
    const growth = Math.min(Number.MAX_VALUE, factor ** (retry - 1)); // 0 · Infinity is no number
    const delayMs = Math.min(maxDelayMs, baseDelayMs * growth);
    if (jitter === 'full') return uniform(0, delayMs);
    return jitter === 'equal' ? uniform(delayMs / 2, delayMs) : delayMs;
  }
}

function uniform(from: number, to: number): number {
  return from + Math.random() * (to - from);
}
