import { known, ResilienceConfigurationError } from '../common/configuration.error.js';
import { RetryBudget } from './retry-budget.js';
import type { RetryBudgetOptions } from './retry-budget.options.js';

/** The retry budgets of an application: those that its options name, and one for each upstream. */
export class RetryBudgets {
  private readonly named = new Map<string, RetryBudget>();
  private readonly shared = new Map<string, RetryBudget>();

  /** @throws ResilienceConfigurationError where the name is taken */
  define(name: string, options: RetryBudgetOptions, place: string): void {
    if (this.named.has(name)) {
      throw new ResilienceConfigurationError(
        place,
        'is registered already; allowed: a name of its own',
      );
    }
    this.named.set(name, new RetryBudget(name, options));
  }

  /** @throws ResilienceConfigurationError on an unknown name */
  find(name: string, place: string): RetryBudget {
    const budget = this.named.get(name);
    if (budget !== undefined) return budget;
    throw new ResilienceConfigurationError(
      place,
      `there is no retry budget ${JSON.stringify(name)}; ${known(this.named.keys())}`,
    );
  }

  /**
   * The budget of everything that calls an upstream: the named one of that name, else one with
   * `options`, made for whoever asks first.
   */
  of(upstream: string, options: RetryBudgetOptions | undefined): RetryBudget {
    let budget = this.named.get(upstream) ?? this.shared.get(upstream);
    if (budget === undefined) {
      budget = new RetryBudget(upstream, options);
      this.shared.set(upstream, budget);
    }
    return budget;
  }
}
