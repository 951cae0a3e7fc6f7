import { now } from '../common/clock.js';
import { closeStreamOf } from '../common/open-stream.js';
import type { PlainCall } from '../context/ambient.js';
import type { PolicyScope } from '../context/policy-scope.js';
import { isFailedResult } from '../errors/failed-result.js';
import { type AttemptStage, NO_ARGS, type Permit, type StageAttempt } from './attempt-stage.js';
import { permitOf } from './keyed-permit.js';

/** As much of an attempt as there is where nothing can end it before its work does. */
export class PlainAttempt implements StageAttempt, PlainCall {
  /** Of the one that begins: for what is called inside of it. */
  permit: Permit = undefined;
  /** Of what has been called in it before it waited for anything, where that has asked for it. */
  scope: PolicyScope | undefined = undefined;

  constructor(
    readonly operation: string,
    private readonly stage: AttemptStage,
    readonly startedAt: number,
  ) {}

  get attempt(): number {
    return 1;
  }

  get self(): undefined {
    return undefined;
  }

  get args(): readonly unknown[] {
    return NO_ARGS;
  }

  get ran(): boolean {
    return true;
  }

  get begun(): boolean {
    return false;
  }

  get timed(): undefined {
    return undefined;
  }

  permitFor(stage: object): Permit {
    return permitOf(stage, this.stage, this.permit);
  }

  /** It has begun. @returns one of its own, where something inside has asked for it */
  metIn(scope: PolicyScope | undefined): PlainAttempt {
    if (scope === undefined) return this;
    const own = new PlainAttempt(this.operation, this.stage, this.startedAt);
    own.permit = this.permit;
    own.scope = scope;
    scope.call = own;
    return own;
  }

  /** It has answered. @throws what the stage throws, for the caller, who has no use for the result then */
  answer(permit: Permit, result: unknown): void {
    this.scope?.leave();
    this.stage.finished?.(permit, this, true);
    try {
      this.stage.settled?.(permit, this, 'success', undefined, now(), result);
    } catch (failure) {
      if (isFailedResult(failure) && Object.is(failure.result, result)) return;
      closeStreamOf(result);
      throw failure;
    }
  }

  /** It has failed. @throws what the stage throws, for the caller */
  fail(permit: Permit, error: unknown): void {
    this.scope?.leave();
    this.stage.finished?.(permit, this, false);
    this.stage.settled?.(permit, this, 'failure', error, now());
  }
}
