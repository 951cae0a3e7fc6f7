import { isClientError } from '../common/client-error.js';
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

/** @param committed whether the answer has begun: then it is not replaced by anything */
export function judgeFailure(stages: Stages, error: unknown, committed: boolean): FinalFailure {
  const critical = committed && stages.critical === false ? undefined : stages.critical;
  const fallback = committed ? undefined : stages.fallback;
  try {
    const says = fallback?.answers(error);
    return {
      error,
      isAnswer: says !== true && isClientError(error),
      fallback: says === false ? undefined : fallback,
      critical,
    };
  } catch (predicateError) {
    return { error: predicateError, isAnswer: false, fallback: undefined, critical };
  }
}
