import {
  type AttemptStage,
  type Permit,
  type Settlement,
  type StageAttempt,
  WAIT,
} from './attempt-stage.js';

import { permitOf } from './keyed-permit.js';

/** An attempt, with the permits of its stages, by their places. The first four have fields of their own. */
export interface Admitted extends StageAttempt {
  /** So many stages have let it in. */
  admitted: number;
  permit0: Permit;
  permit1: Permit;
  permit2: Permit;
  permit3: Permit;
  morePermits: Permit[] | undefined;
}

/** No stage lets the attempt wait: it may begin. */
export const ADMITTED = -1;

/**
 * The hooks of an operation's stages around an attempt, put together once. What happens at every call
 * is written out by the number of stages: a loop over them costs a third of a call.
 */
export class Hooks {
  /** Whether attempts hold anything until their work has ended. */
  readonly hold: boolean;

  constructor(readonly stages: readonly AttemptStage[]) {
    this.hold = stages.some((stage) => stage.finished !== undefined);
  }

  /** Whether one of the stages needs an attempt to have a scope at this moment. */
  get needScope(): boolean {
    return this.stages.some((stage) => stage.needsScope === true);
  }

  /**
   * Asks the stages to let an attempt in, the outermost first.
   *
   * @returns the place of the stage that lets it wait, or `ADMITTED`
   * @throws what refuses it
   */
  admit(attempt: Admitted, at: number): number {
    return this.admitFrom(0, attempt, at);
  }

  /** The same from a place on. */
  admitFrom(place: number, attempt: Admitted, at: number): number {
    for (let i = place; i < this.stages.length; i++) {
      const permit = (this.stages[i] as AttemptStage).admit(attempt, at);
      if (permit === WAIT) return i;
      this.grant(i, attempt, permit);
    }
    return ADMITTED;
  }

  /** A stage has let the attempt in. */
  grant(place: number, attempt: Admitted, permit: Permit): void {
    if (place === 0) attempt.permit0 = permit;
    else if (place === 1) attempt.permit1 = permit;
    else if (place === 2) attempt.permit2 = permit;
    else if (place === 3) attempt.permit3 = permit;
    else {
      attempt.morePermits ??= [];
      attempt.morePermits[place - 4] = permit;
    }
    attempt.admitted = place + 1;
  }

  /** Asks those that have let the attempt in whether they would still do so. @throws what refuses it */
  confirm(attempt: Admitted, at: number): void {
    for (let i = 0; i < attempt.admitted; i++)
      this.stages[i]?.confirm?.(permitAt(i, attempt), attempt, at);
  }

  /**
   * Tells those that have let the attempt in how it has settled, the innermost first.
   *
   * @throws what its caller gets instead; all have been told
   */
  settle(attempt: Admitted, how: Settlement, error: unknown, at: number, result?: unknown): void {
    let thrown: { error: unknown } | undefined;
    for (let i = attempt.admitted - 1; i >= 0; i--) {
      try {
        this.stages[i]?.settled?.(permitAt(i, attempt), attempt, how, error, at, result);
      } catch (failure) {
        thrown ??= { error: failure };
      }
    }
    if (thrown !== undefined) throw thrown.error;
  }

  /** Tells them that its work has ended, the innermost first. */
  finish(attempt: Admitted, answered: boolean): void {
    for (let i = attempt.admitted - 1; i >= 0; i--)
      this.stages[i]?.finished?.(permitAt(i, attempt), attempt, answered);
  }

  /** The permit that a stage has given an attempt; `undefined` where it has not let it in. */
  permitOf(stage: object, attempt: Admitted): Permit {
    for (let place = 0; place < attempt.admitted; place++) {
      const permit = permitOf(stage, this.stages[place], permitAt(place, attempt));
      if (permit !== undefined) return permit;
    }
    return undefined;
  }
}

function permitAt(place: number, attempt: Admitted): Permit {
  if (place === 0) return attempt.permit0;
  if (place === 1) return attempt.permit1;
  if (place === 2) return attempt.permit2;
  return place === 3 ? attempt.permit3 : attempt.morePermits?.[place - 4];
}

/** Of operations without any such stage. */
class NoHooks extends Hooks {
  override get needScope(): boolean {
    return false;
  }

  override admit(): number {
    return ADMITTED;
  }

  override settle(): void {}

  override finish(): void {}
}

class OneHook extends Hooks {
  private readonly only: AttemptStage;

  override get needScope(): boolean {
    return this.only.needsScope === true;
  }

  constructor(stages: readonly AttemptStage[]) {
    super(stages);
    this.only = stages[0] as AttemptStage;
  }

  override admit(attempt: Admitted, at: number): number {
    const permit = this.only.admit(attempt, at);
    if (permit === WAIT) return 0;
    attempt.permit0 = permit;
    attempt.admitted = 1;
    return ADMITTED;
  }

  override settle(
    attempt: Admitted,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    if (attempt.admitted === 1)
      this.only.settled?.(attempt.permit0, attempt, how, error, at, result);
  }

  override finish(attempt: Admitted, answered: boolean): void {
    if (attempt.admitted === 1) this.only.finished?.(attempt.permit0, attempt, answered);
  }
}

/** As most protected operations have them: a breaker, a timeout, a bulkhead. */
class ThreeHooks extends Hooks {
  private readonly outer: AttemptStage;
  private readonly middle: AttemptStage;
  private readonly inner: AttemptStage;

  constructor(stages: readonly AttemptStage[]) {
    super(stages);
    [this.outer, this.middle, this.inner] = stages as [AttemptStage, AttemptStage, AttemptStage];
  }

  override admit(attempt: Admitted, at: number): number {
    const outer = this.outer.admit(attempt, at);
    if (outer === WAIT) return 0;
    attempt.permit0 = outer;
    attempt.admitted = 1;
    const middle = this.middle.admit(attempt, at);
    if (middle === WAIT) return 1;
    attempt.permit1 = middle;
    attempt.admitted = 2;
    const inner = this.inner.admit(attempt, at);
    if (inner === WAIT) return 2;
    attempt.permit2 = inner;
    attempt.admitted = 3;
    return ADMITTED;
  }

  override settle(
    attempt: Admitted,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    if (attempt.admitted === 3) this.settleThree(attempt, how, error, at, result);
    else super.settle(attempt, how, error, at, result);
  }

  override finish(attempt: Admitted, answered: boolean): void {
    if (attempt.admitted === 3) this.finishThree(attempt, answered);
    else super.finish(attempt, answered);
  }

  protected settleThree(
    attempt: Admitted,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    try {
      this.inner.settled?.(attempt.permit2, attempt, how, error, at, result);
    } finally {
      try {
        this.middle.settled?.(attempt.permit1, attempt, how, error, at, result);
      } finally {
        this.outer.settled?.(attempt.permit0, attempt, how, error, at, result);
      }
    }
  }

  protected finishThree(attempt: Admitted, answered: boolean): void {
    this.inner.finished?.(attempt.permit2, attempt, answered);
    this.middle.finished?.(attempt.permit1, attempt, answered);
    this.outer.finished?.(attempt.permit0, attempt, answered);
  }
}

/** The same with a rate limit behind the breaker. */
class FourHooks extends ThreeHooks {
  private readonly innermost: AttemptStage;

  constructor(stages: readonly AttemptStage[]) {
    super(stages);
    this.innermost = stages[3] as AttemptStage;
  }

  override admit(attempt: Admitted, at: number): number {
    const waitsAt = super.admit(attempt, at);
    if (waitsAt !== ADMITTED) return waitsAt;
    const permit = this.innermost.admit(attempt, at);
    if (permit === WAIT) return 3;
    attempt.permit3 = permit;
    attempt.admitted = 4;
    return ADMITTED;
  }

  override settle(
    attempt: Admitted,
    how: Settlement,
    error: unknown,
    at: number,
    result?: unknown,
  ): void {
    if (attempt.admitted !== 4) {
      super.settle(attempt, how, error, at, result);
      return;
    }
    try {
      this.innermost.settled?.(attempt.permit3, attempt, how, error, at, result);
    } finally {
      this.settleThree(attempt, how, error, at, result);
    }
  }

  override finish(attempt: Admitted, answered: boolean): void {
    if (attempt.admitted !== 4) {
      super.finish(attempt, answered);
      return;
    }
    this.innermost.finished?.(attempt.permit3, attempt, answered);
    this.finishThree(attempt, answered);
  }
}

/** @param stages the outermost first */
export function hooksOf(stages: readonly AttemptStage[]): Hooks {
  if (stages.length === 0) return new NoHooks(stages);
  if (stages.length === 1) return new OneHook(stages);
  if (stages.length === 3) return new ThreeHooks(stages);
  return stages.length === 4 ? new FourHooks(stages) : new Hooks(stages);
}
