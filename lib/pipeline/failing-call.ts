import type { Attempt } from '../attempt/attempt.js';
import type { Scope } from '../context/scope.js';
import type { CallKey } from '../stage/call-keys.js';
import type { TotalScope } from '../total-timeout/total-scope.js';
import type { Plan } from './plan.js';
import type { Work } from './work.js';

/** A call, as what becomes of it has to know it. */
export interface FailingCall<T> {
  readonly plan: Plan;
  readonly work: Work;
  readonly self: unknown;
  readonly args: unknown[];
  readonly madeIn: Scope | undefined;
  readonly caller: Scope | undefined;
  readonly startedAt: number;
  /** So many were begun. */
  readonly attempts: number;
  readonly current: { hasRetried(error: unknown): boolean } | undefined;
  /** By which it was cancelled. */
  readonly cut: { readonly reason: unknown } | undefined;
  /** What limits the time of its attempts together. */
  readonly total: TotalScope | undefined;
  /** By what an earlier answer stands in for it. */
  readonly goodKey: CallKey | undefined;
  /** Whether making it again does no harm. */
  readonly mayRepeat: boolean;
  /** Whether its answer has begun: then it can be neither repeated nor replaced. */
  readonly committed: boolean;
  begin(attempt: number, at: number): void;
  /** Whether an answer can be kept until another attempt begins. */
  readonly keepsAnswers: boolean;
  accept(answer: unknown): unknown;
  replay(kept: unknown): unknown;
  discard(answer: unknown): void;
  /** What an attempt answered, by which it failed, is of no use any more. */
  drop(attempt: Attempt<T>): void;
  /** The same while a fallback may still use it: nothing more of it comes. */
  stop(attempt: Attempt<T>): void;
  /** It is the call's answer all the same. */
  concede(attempt: Attempt<T>): void;
  answer(value: T): void;
  refuse(error: unknown): void;
  broke(error: unknown): void;
}
