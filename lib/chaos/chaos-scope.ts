import { SharedScope } from '../coalesce/shared-scope.js';
import { currentScope } from '../context/ambient.js';
import { Scope } from '../context/scope.js';
import type { ActiveRule } from './active-rule.js';

/** A request that brings chaos along. For all else, what runs in it is inside its caller. */
export class ChaosScope extends Scope {
  private left = false;

  constructor(
    around: Scope | undefined,
    readonly rules: readonly ActiveRule[],
  ) {
    super(1, around, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get over(): boolean {
    return true;
  }

  override get gone(): boolean {
    return this.left;
  }

  /** Its handler has settled: what it has left behind is on its own. */
  leave(): void {
    this.left = true;
  }
}

/** What the request has brought along that this code answers. Detached and shared work is for others too. */
export function requestRules(): readonly ActiveRule[] {
  let scope = currentScope();
  if (scope?.detached) return [];
  while (scope !== undefined && !(scope instanceof SharedScope)) {
    if (scope instanceof ChaosScope && !scope.gone) return scope.rules;
    scope = scope.around;
  }
  return [];
}
