import { Registry } from '../common/registry.js';
import { RetryBudget } from './retry-budget.js';
import type { RetryBudgetOptions } from './retry-budget.options.js';

/** The retry budgets of an application: those that its options name, and one for each upstream. */
export class RetryBudgets extends Registry<RetryBudget> {
  private readonly shared = new Map<string, RetryBudget>();

  constructor() {
    super('retry budget', 'retryBudgets', () => undefined);
  }

  /** @throws ResilienceConfigurationError where the name is taken */
  define(name: string, options: RetryBudgetOptions, place: string): RetryBudget {
    return this.add(new RetryBudget(name, options), place);
  }

  /**
   * The budget of everything that calls an upstream: the named one of that name, else one with
   * `options`, made for whoever asks first.
   */
  of(upstream: string, options: RetryBudgetOptions | undefined): RetryBudget {
    if (this.has(upstream)) return this.get(upstream);
    let budget = this.shared.get(upstream);
    if (budget === undefined) {
      budget = new RetryBudget(upstream, options);
      this.shared.set(upstream, budget);
    }
    return budget;
  }
}
