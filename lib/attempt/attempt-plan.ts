import type { FailedResult } from '../errors/failed-result.js';
import type { Hooks } from './hooks.js';

/** What an attempt has to know about its operation. */
export interface AttemptPlan {
  readonly operation: string;
  readonly hooks: Hooks;
  /** How much it matters, where the operation says so. */
  readonly critical: boolean | undefined;
  /** What one attempt may take, in ms; `Infinity` without a timeout. */
  readonly timeoutMs: number;
  readonly captureStackTrace: boolean;
  /** What says of the results of its attempts that they count as failures, beside the stages. */
  readonly results?: ResultJudge | undefined;
}

/** Says which results count as failures. */
export interface ResultJudge {
  /** @throws what a predicate throws */
  judge(result: unknown, attempt: number): FailedResult | undefined;
}

/** An answer by which an attempt has failed, and which is kept while nothing better is there. */
export interface KeptAnswer<T> {
  readonly failure: FailedResult;
  /** What the call answers with it. */
  readonly answer: T;
}
