import { isDeepStrictEqual } from 'node:util';
import { known } from '../common/configuration.error.js';
import { NamedOptions } from '../common/named-options.js';
import { positiveCount } from '../common/option-rules.js';
import type { Layer, Origin } from '../common/origin.js';
import { isReference } from '../stage/keyed.options.js';
import type { PolicyChange } from '../stage/policy-change.js';
import type {
  NamedOverrides,
  NamingOptions,
  Said,
  StageApplication,
  StageCatalog,
  StagedOperation,
} from '../stage/stage-definition.js';
import type { Learnt } from '../state/state-document.js';
import { mergeRetryOptions, type RetryOptions, retryArgument } from './retry.options.js';
import { RetryPolicy } from './retry.policy.js';
import type { BudgetSource } from './retry-budget.js';
import type {
  ResolvedRetryBudgetOptions,
  RetryBudgetByKey,
  RetryBudgetOptions,
} from './retry-budget.options.js';
import { RetryBudgets, sourceOf } from './retry-budgets.js';

/** The retries of an application: options with names, and the budgets that bound them. */
export class RetryCatalog implements StageCatalog<RetryPolicy> {
  private readonly named: NamedOptions<RetryOptions>;
  private readonly budgets: RetryBudgets;
  private readonly defaults: RetryOptions | undefined;

  constructor(application: StageApplication) {
    this.named = new NamedOptions<RetryOptions>(
      'retry options',
      'retries',
      {
        instead: (number) =>
          positiveCount(number, 'retries') === undefined ? `the number ${number}` : undefined,
      },
      application.registersUnknown ? {} : undefined,
    );
    this.defaults = application.defaults.retry as RetryOptions | undefined;
    this.budgets = new RetryBudgets(application);
  }

  add({ retries, retryBudgets }: NamingOptions): void {
    const budgets = (retryBudgets ?? {}) as Record<string, RetryBudgetOptions>;
    for (const [name, budget] of Object.entries(budgets)) this.budgets.add(name, budget);
    this.named.add(retries as Record<string, RetryOptions> | undefined);
  }

  /** Also options that no operation uses must name a budget that there is. */
  checkNames({ retries }: NamingOptions): void {
    const named = Object.entries((retries ?? {}) as Record<string, RetryOptions>).map(
      ([name, retry]) => [`retries.${name}`, retry] as const,
    );
    for (const [place, retry] of [...named, ['defaults.retry', this.defaults] as const])
      if (isNamed(retry?.budget)) this.budgets.checkName(retry.budget, `${place}.budget`);
  }

  resolve(said: Said): RetryPolicy {
    const { operation, upstream, place, previous } = said;
    const layers = this.layers(said);
    const options = mergeRetryOptions(...layers.map((layer) => layer.options));
    const { budget: asked } = mergeRetryOptions(
      ...layers.filter(({ origin }) => origin !== 'defaults').map((layer) => layer.options),
    );
    // What was spent stays spent, where it is another option that has changed.
    const budget =
      previous instanceof RetryPolicy && isDeepStrictEqual(previous.options.budget, options.budget)
        ? previous.budget
        : this.budgetOf(operation, upstream, asked, `${place}.budget`);
    return new RetryPolicy(options, place, budget);
  }

  layers({ place, values, origins, overrides }: Said): Layer[] {
    const defaults: Layer[] =
      this.defaults === undefined
        ? []
        : [{ origin: 'defaults', place: 'defaults.retry', options: this.defaults }];
    return [
      ...defaults,
      ...values.flatMap((value, at): Layer[] => {
        if (typeof value !== 'string')
          return [{ origin: origins[at] as Origin, place, options: retryArgument(place, value) }];
        const options = this.named.find(value, place);
        const named = { origin: 'module', place: `retries.${value}`, options } as const;
        return [named, ...overrides('retries', value)];
      }),
    ];
  }

  /** Of the budgets with names. Others follow from the options of those who retry. */
  propose(named: NamedOverrides): PolicyChange[] {
    return this.budgets
      .list()
      .flatMap(({ name }) => this.budgets.propose(name, named('retryBudgets', name)) ?? []);
  }

  names(section: string): Iterable<string> {
    return section === 'retries' ? this.named.names() : this.budgets.names();
  }

  /** What `defaults` say is for the budgets that are shared by upstream. */
  budgetOf(
    operation: string,
    upstream: string | undefined,
    given: RetryOptions['budget'],
    place: string,
  ): BudgetSource | undefined {
    const budget = given ?? this.defaults?.budget;
    if (budget === false) return undefined;
    if (isNamed(budget)) return this.budgets.find(budget, place);
    if (given !== undefined || upstream === undefined)
      return this.budgets.own(operation, budget, place);
    return this.budgets.ofUpstream(upstream, budget, place);
  }

  learnt(): Learnt[] {
    return this.budgets.learnt();
  }

  recall(): void {
    this.budgets.recall();
  }

  doubts(operations: readonly StagedOperation[]): string[] {
    const used = new Set(operations.flatMap(({ stages }) => budgetIn(stages.retry)));
    return [...this.unused(operations, used), ...this.wide(used), ...this.budgets.neverKeyed()];
  }

  /** A budget is that of an upstream by its name alone, so a misspelt one bounds nothing. */
  private unused(operations: readonly StagedOperation[], used: ReadonlySet<Budget>): string[] {
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
  private wide(used: ReadonlySet<Budget>): string[] {
    return [...new Set([...this.budgets.list(), ...used])]
      .map(({ name, options }) => ({ name, ...(options as ResolvedRetryBudgetOptions) }))
      .filter(({ ratio }) => ratio > 1)
      .map(
        ({ name, ratio }) =>
          `retry budget ${name}: ratio ${ratio} allows ${ratio} retries for each first attempt; did you mean ${ratio / 100} (${ratio} %)?`,
      );
  }
}

type Budget = ReturnType<typeof sourceOf>;

function budgetIn(retry: unknown): Budget | [] {
  const { budget } = (retry ?? {}) as Partial<RetryPolicy>;
  return budget === undefined ? [] : sourceOf(budget);
}

function isNamed(budget: RetryOptions['budget']): budget is string | RetryBudgetByKey {
  return typeof budget === 'string' || isReference(budget);
}
