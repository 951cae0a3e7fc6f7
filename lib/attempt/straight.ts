import type { PlainCall } from '../context/ambient.js';
import type { PolicyScope } from '../context/policy-scope.js';
import { failuresSoFar } from '../context/retried-errors.js';
import type { Permit } from './attempt-stage.js';
import type { Admitted, Hooks } from './hooks.js';

/**
 * The only attempt of a call that nothing can cut, and that nothing inside has to know of: it is let in at
 * once, and has its answer. Whatever else becomes of it, an `Attempt` takes over.
 */
export abstract class StraightAttempt implements Admitted, PlainCall {
  abstract readonly self: unknown;
  abstract readonly args: readonly unknown[];
  admitted = 0;
  permit0: Permit = undefined;
  permit1: Permit = undefined;
  permit2: Permit = undefined;
  permit3: Permit = undefined;
  morePermits: Permit[] | undefined = undefined;
  ran = false;
  /** Of what has been called in it before it waited for anything, where that has asked for it. */
  scope: PolicyScope | undefined = undefined;
  /** So many failures there had been when it began. */
  readonly since = failuresSoFar();

  constructor(
    protected readonly plan: { readonly operation: string; readonly hooks: Hooks },
    readonly startedAt: number,
  ) {}

  get operation(): string {
    return this.plan.operation;
  }

  get attempt(): number {
    return 1;
  }

  get timed(): undefined {
    return undefined;
  }

  get begun(): boolean {
    return false;
  }

  get waitedMs(): number {
    return 0;
  }

  permitFor(stage: object): Permit {
    return this.plan.hooks.permitOf(stage, this);
  }
}
