import { isClientError } from '../errors/client-error.js';
import type { FailedResult } from '../errors/failed-result.js';
import type { FallbackPolicy } from '../fallback/fallback.policy.js';
import type { Stages } from './stages.js';

/** What becomes of a call that failed for good. */
export interface FinalFailure {
  /** What failed it: that of the fallback's predicate where it throws. */
  readonly error: unknown;
  /** It is the client's fault: the error is an answer, and no failure. */
  readonly isAnswer: boolean;
  /** Answers in place of the failure. */
  readonly fallback: FallbackPolicy | undefined;
  /** `true`: it alerts. `false`: without a fallback's answer, the caller gets `null`. */
  readonly critical: boolean | undefined;
}

/**
 * @param committed whether the answer has begun: then it is not replaced by anything
 * @param result the failure, where it is a result that counts as one
 */
export function judgeFailure(
  stages: Stages,
  error: unknown,
  committed: boolean,
  result?: FailedResult,
): FinalFailure {
  const critical = committed && stages.critical === false ? undefined : stages.critical;
  const fallback = committed ? undefined : stages.fallback;
  try {
    const says = result === undefined ? fallback?.answers(error) : replaces(fallback, result);
    return {
      error,
      isAnswer: says !== true && result === undefined && isClientError(error),
      fallback: says === false ? undefined : fallback,
      critical,
    };
  } catch (predicateError) {
    return { error: predicateError, isAnswer: false, fallback: undefined, critical };
  }
}

/** A result is replaced only where that is asked for. */
function replaces(
  fallback: FallbackPolicy | undefined,
  { result, verdict }: FailedResult,
): boolean {
  if (verdict.thrown !== undefined) throw verdict.thrown.error;
  return (verdict.replaceable ?? fallback?.replacesResult(result)) === true;
}
