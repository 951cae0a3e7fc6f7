import type { ResultJudge } from '../attempt/attempt-plan.js';
import { FailedResult, NO_RESULT } from '../errors/failed-result.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import type { RetryPolicy } from '../retry/retry.policy.js';

/** What says of an operation's results whether they are retried or replaced; `undefined` where nothing does. */
export function resultJudgeOf(
  retry: RetryPolicy | undefined,
  fallback: FallbackPolicy | undefined,
): ResultJudge | undefined {
  const isRetried = retry?.options.retryableResults !== undefined;
  const isReplaced = fallback?.whenResult !== undefined;
  return isRetried || isReplaced ? new Predicates(retry, fallback) : undefined;
}

class Predicates implements ResultJudge {
  constructor(
    private readonly retry: RetryPolicy | undefined,
    private readonly fallback: FallbackPolicy | undefined,
  ) {}

  judge(result: unknown, attempt: number): FailedResult | undefined {
    if (result === NO_RESULT) return undefined;
    const retryable = this.retry?.retriesResult(result, attempt);
    if (retryable === true) return new FailedResult(result, { retryable });
    try {
      const replaceable = this.fallback?.replacesResult(result);
      return replaceable ? new FailedResult(result, { retryable, replaceable }) : undefined;
    } catch (error) {
      return new FailedResult(result, { retryable, thrown: { error } });
    }
  }
}
