import type { Expiring } from '../common/timer-queue.js';
import type { Scope } from '../context/scope.js';

/** Something that takes time, and is told when it has taken too much. */
export interface Timed extends Expiring<Timed> {}

/** What a stage gives an attempt that it lets in: it comes back with how the attempt went. */
export type Permit = unknown;

/** Instead of a permit: the attempt may begin later, when `wait()` says so. */
export const WAIT: Permit = Symbol('wait');

/**
 * How an attempt ended for its caller: with a value, by an error of its work, because its time was up or
 * its caller gave up, or in a way that says nothing about what it calls.
 */
export type Settlement = 'success' | 'failure' | 'cut' | 'nothing';

/** An attempt, as its stages see it. */
export interface StageAttempt {
  /** What it belongs to: `ClassName.method`, or the name of the bundle or pipeline. */
  readonly operation: string;
  /** Which one this is; the first is 1. */
  readonly attempt: number;
  /**
   * The object whose method was called. `undefined` where none was: in pipelines and bundles that call
   * functions, and in calls of a policy by itself.
   */
  readonly self: unknown;
  /**
   * What the call was made with; of pipelines and bundles what its `ExecuteOptions.args` say, and none in
   * calls of a policy by itself. They are the caller's own, and not to be changed.
   */
  readonly args: readonly unknown[];
  /** When it began, on the monotonic clock, in ms. */
  readonly startedAt: number;
  /** Its work was begun. */
  readonly ran: boolean;
  /** It has answered by the first value of a stream, which flows on. */
  readonly begun: boolean;
  /**
   * What it runs in, where it has one of its own: how much it matters, its deadline, and who is around it.
   *
   * @internal
   */
  readonly scope: Scope | undefined;
  /** What a stage cuts that limits its time. @internal */
  readonly timed: Timed | undefined;
}

/** Of calls that are made with none. */
export const NO_ARGS: readonly unknown[] = Object.freeze([]);

/**
 * What becomes of one of many by key that no attempt is in: it may go at any time, it stays until it has
 * been idle for long, or it stays for as long as it says so.
 */
export type Retention = 'none' | 'idle' | 'kept';

/** How a wait ends: with the permit, or with the error by which the attempt is refused. */
export type Admission = { readonly permit: Permit } | { readonly refusal: unknown };

/**
 * What a stage does at each attempt. `admit` is asked outermost stage first; `settled` and `finished` are
 * told innermost first, and only those stages hear of an attempt that have let it in.
 *
 * An attempt *settles* once, when its caller knows how it went. The work behind it *finishes* when it has
 * really ended, which may be much later: until then it holds what it was given.
 */
export interface AttemptStage {
  /**
   * Whether an attempt has to run in a scope at this moment: what is called inside, however deep, then
   * finds it. Without, calls cost less.
   *
   * @default no
   */
  readonly needsScope?: boolean | undefined;
  /**
   * Of one that is kept by key: whether something would be lost if a new one took its place at this
   * moment, such as that it is open. What attempts are in is kept anyway. @default 'none'
   */
  readonly retention?: Retention | undefined;
  /** Told that a new one would be as it is now, since what was done to it is done to all. @internal */
  becameUsual?(): void;
  /** Told of each operation that it becomes a part of. @internal */
  joined?(): void;
  /**
   * Lets an attempt begin.
   *
   * @returns its permit, or `WAIT`
   * @throws the error by which it is refused
   */
  admit(attempt: StageAttempt, at: number): Permit;
  /**
   * Of a stage that answers `WAIT`: tells once when the attempt may begin, or why it may not. The
   * error of a refusal is asked for in the attempt's own async context.
   *
   * @returns gives the place up, where the attempt ends before
   */
  wait?(attempt: StageAttempt, admitted: (admission: () => Admission) => void): () => void;
  /**
   * Asks again before an attempt begins that had to wait further in.
   *
   * @throws the error by which it is refused after all
   */
  confirm?(permit: Permit, attempt: StageAttempt, at: number): void;
  /**
   * The attempt has settled.
   *
   * @param result what it succeeded with: of a stream its first value, and `NO_RESULT` where there is none
   * @throws an error that its caller gets instead; a `FailedResult` of the result says that it counts as a
   * failure, and the caller gets that where nothing replaces it
   */
  settled?(
    permit: Permit,
    attempt: StageAttempt,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void;
  /** The work behind it has really ended; `answered` with a value that counts. */
  finished?(permit: Permit, attempt: StageAttempt, answered: boolean): void;
}

/**
 * What runs around each attempt of an operation, outermost first.
 *
 * @param stages the operation's policies by name, in the order in which they nest
 */
export function attemptStagesOf(stages: object): AttemptStage[] {
  return Object.values(stages).filter(
    (policy): policy is AttemptStage =>
      typeof (policy as Partial<AttemptStage> | undefined)?.admit === 'function',
  );
}
