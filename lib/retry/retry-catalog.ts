import { known } from '../common/configuration.error.js';
import { NamedOptions } from '../common/named-options.js';
import { merge } from '../common/options.js';
import { Registry } from '../common/registry.js';
import type {
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
  StagedOperation,
} from '../stage/stage-definition.js';
import { type RetryOptions, retryArgument } from './retry.options.js';
import { RetryPolicy } from './retry.policy.js';
import { RetryBudget } from './retry-budget.js';
import type { RetryBudgetOptions } from './retry-budget.options.js';

/** The retries of an application: options with names, and the budgets that bound them. */
export class RetryCatalog implements StageCatalog<RetryPolicy> {
  private readonly named = new NamedOptions<RetryOptions>(
    'retry options',
    'retries',
    (number) => `the number ${number}`,
  );
  /** The budgets with names. */
  private readonly budgets = new Registry<RetryBudget>('retry budget', 'retryBudgets');
  /** Those of upstreams without one. */
  private readonly shared = new Map<string, RetryBudget>();
  private readonly defaults: RetryOptions | undefined;

  constructor({ defaults }: StageApplication) {
    this.defaults = defaults.retry as RetryOptions | undefined;
  }

  add({ retries, retryBudgets }: NamingOptions): void {
    const budgets = (retryBudgets ?? {}) as Record<string, RetryBudgetOptions>;
    for (const [name, budget] of Object.entries(budgets))
      this.budgets.add(new RetryBudget(name, budget), `retryBudgets.${name}`);
    this.named.add(retries as Record<string, RetryOptions> | undefined);
  }

  /** Also options that no operation uses must name a budget that there is. */
  checkNames({ retries }: NamingOptions): void {
    const named = Object.entries((retries ?? {}) as Record<string, RetryOptions>).map(
      ([name, retry]) => [`retries.${name}`, retry] as const,
    );
    for (const [place, retry] of [...named, ['defaults.retry', this.defaults] as const])
      if (typeof retry?.budget === 'string') this.budgets.find(retry.budget, `${place}.budget`);
  }

  resolve({ operation, upstream, place, values }: Said): RetryPolicy {
    const layers = values.map((value) =>
      typeof value === 'string' ? this.named.find(value, place) : retryArgument(place, value),
    );
    const given = merge<RetryOptions>(...layers);
    const options = merge<RetryOptions>(this.defaults, given);
    const budget = this.budgetOf(operation, upstream, given.budget, `${place}.budget`);
    return new RetryPolicy(options, place, budget);
  }

  /** What `defaults` say is for the budgets that are shared by upstream. */
  budgetOf(
    operation: string,
    upstream: string | undefined,
    given: RetryOptions['budget'],
    place: string,
  ): RetryBudget | undefined {
    const budget = given ?? this.defaults?.budget;
    if (budget === false) return undefined;
    if (typeof budget === 'string') return this.budgets.find(budget, place) as RetryBudget;
    if (given !== undefined || upstream === undefined) return new RetryBudget(operation, budget);
    if (this.budgets.has(upstream)) return this.budgets.get(upstream);
    const shared = this.shared.get(upstream) ?? new RetryBudget(upstream, budget);
    this.shared.set(upstream, shared); // made for whoever asks first
    return shared;
  }

  doubts(operations: readonly StagedOperation[]): string[] {
    const used = new Set(operations.flatMap(({ stages }) => budgetIn(stages.retry)));
    return [...this.unused(operations, used), ...this.wide(used)];
  }

  /** A budget is that of an upstream by its name alone, so a misspelt one bounds nothing. */
  private unused(operations: readonly StagedOperation[], used: ReadonlySet<RetryBudget>): string[] {
    const upstreams = new Set(operations.flatMap(({ upstream }) => upstream ?? []));
    return this.budgets
      .list()
      .filter((budget) => !upstreams.has(budget.name) && !used.has(budget))
      .map(
        ({ name }) =>
          `retryBudgets.${name} bounds nothing: no @Upstream is called ${name}, and no retry names it as its budget; of upstreams, ${known(upstreams, name)}`,
      );
  }

  /** The ratio is a fraction, unlike percentages. */
  private wide(used: ReadonlySet<RetryBudget>): string[] {
    return [...new Set([...this.budgets.list(), ...used])]
      .filter(({ options }) => options.ratio > 1)
      .map(
        ({ name, options: { ratio } }) =>
          `retry budget ${name}: ratio ${ratio} allows ${ratio} retries for each first attempt; did you mean ${ratio / 100} (${ratio} %)?`,
      );
  }
}

function budgetIn(retry: unknown): RetryBudget | [] {
  return (retry as RetryPolicy | undefined)?.budget ?? [];
}
