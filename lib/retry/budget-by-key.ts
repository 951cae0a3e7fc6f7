import type { KeyedInstances } from '../instances/keyed-instances.js';
import { askKey } from '../stage/key.js';
import type { KeyFunction } from '../stage/keyed.options.js';
import type { BudgetedCall, BudgetSource, RetryBudget } from './retry-budget.js';

/** The budgets of an operation by key: that of a call is the one of its key. */
export class BudgetByKey implements BudgetSource {
  constructor(
    readonly budgets: KeyedInstances<RetryBudget>,
    private readonly key: KeyFunction,
    private readonly place: string,
  ) {}

  /** The pattern of their names. */
  get name(): string {
    return this.budgets.pattern;
  }

  get options(): object {
    const { options, keyed } = this.budgets.parts;
    const { maxKeys, idleMs } = keyed;
    return { ...options, key: this.key, maxKeys, idleMs };
  }

  of(call: BudgetedCall, at: number): RetryBudget {
    const { budgets, key, place } = this;
    const entry = budgets.find(askKey(key, call, place), at, place);
    budgets.touch(entry, at);
    return entry.policy;
  }
}
