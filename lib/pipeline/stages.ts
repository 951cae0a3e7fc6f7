import type { RetrySuppression } from '../retry/retry.policy.js';
import type { PoliciesOf } from '../stage/stage-types.js';
import type { OurTypes } from '../stages.js';

/** What protects an operation, outermost first, also by stages of an application's own. */
export interface Stages extends PoliciesOf<OurTypes> {
  readonly [stage: string]: unknown;
}

/** How a failed call ended for its caller. */
export type FailureOutcome = 'failure' | 'fallback' | 'degraded';

/** Where an error comes by on its way out, to tell one that passes from a new one. */
export interface Passage {
  /** The scope of the call's own last attempt, in which it may have been tracked before. */
  readonly inside: object | undefined;
  /** The scope in which the call was made, to which it goes on. */
  readonly around: object | undefined;
}

/** How a call that failed for good went. */
export interface FailedCall extends Passage {
  readonly outcome: FailureOutcome;
  /** So many were made, or refused. */
  readonly attempts: number;
  /** In ms, with all attempts, waits and the fallback. */
  readonly durationMs: number;
  /** Whether it reached what it calls: not where each attempt was rejected before, here or further in. */
  readonly reached: boolean;
  /** Why it was not tried again where that was worth it. */
  readonly retrySuppressed: RetrySuppression | undefined;
  /** Of the last success, in ms, where that was the fallback's answer. */
  readonly ageMs: number | undefined;
  /** What the fallback itself failed by, where it did. */
  readonly fallbackError: unknown;
}

/** An attempt, as who observes calls has to know it. */
export interface EndedAttempt {
  /** Which one of its call it was; the first is 1. */
  readonly attempt: number;
  /** In ms on the monotonic clock. */
  readonly startedAt: number;
  /** Its work was begun. */
  readonly ran: boolean;
  /** For how long a stage has let it wait before that, in ms. */
  readonly waitedMs: number;
}

/** Told of what happens to an operation's calls. None of these may throw. */
export interface PipelineObserver {
  /** An attempt failed and another follows. */
  onRetry(error: unknown, attempt: number, delayMs: number): void;
  /** An attempt failed that was worth another, which would make things worse. */
  onRetrySuppressed(error: unknown, attempt: number, reason: RetrySuppression): void;
  /** An attempt was slow to answer, and another is made beside it: the `number`th of them. */
  onHedge(number: number, delayMs: number): void;
  /** It was one of those beside the first that has answered the call. */
  onHedgeWon(): void;
  /** An attempt was cut. */
  onTimeout(timeoutMs: number): void;
  /**
   * The call is over at `at`, with an answer.
   *
   * @param attempt whose answer it is; none of a client error, which an attempt has failed by
   */
  onSuccess(durationMs: number, at: number, attempt?: EndedAttempt): void;
  /**
   * An attempt has failed, or was refused; of those that are made side by side, each.
   *
   * @param isCut because its call is over, or another attempt was faster
   */
  onAttemptFailed(error: unknown, attempt: EndedAttempt, isCut: boolean): void;
  /** The call failed for good; what its caller gets instead is decided after this. */
  onCriticalFailure(error: unknown): void;
  onFallbackFailure(error: unknown, fallbackError: unknown): void;
  /** The call is over. */
  onFailure(error: unknown, call: FailedCall): void;
}

/** Nobody is told: of what says nothing about the operation. */
export const NOBODY: PipelineObserver = {
  onRetry: () => undefined,
  onRetrySuppressed: () => undefined,
  onHedge: () => undefined,
  onHedgeWon: () => undefined,
  onTimeout: () => undefined,
  onSuccess: () => undefined,
  onAttemptFailed: () => undefined,
  onCriticalFailure: () => undefined,
  onFallbackFailure: () => undefined,
  onFailure: () => undefined,
};
