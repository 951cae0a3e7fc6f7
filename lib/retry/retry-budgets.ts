import { isDeepStrictEqual } from 'node:util';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { merge } from '../common/options.js';
import type { Layer } from '../common/origin.js';
import { Registry } from '../common/registry.js';
import { WeakList } from '../common/weak-list.js';
import { checkSharedStays, checkSharing } from '../fleet/sharing.js';
import { KeyedInstances } from '../instances/keyed-instances.js';
import type { ChangedParts } from '../instances/keyed-parts.js';
import { KeyedReports } from '../instances/keyed-reports.js';
import {
  type KeyFunction,
  needingKey,
  resolveKeyedOptions,
  splitKeyed,
} from '../stage/keyed.options.js';
import type { PolicyChange } from '../stage/policy-change.js';
import type { StageApplication } from '../stage/stage-definition.js';
import type { StageHost } from '../stage/stage-host.js';
import type { Learnt } from '../state/state-document.js';
import { BudgetByKey } from './budget-by-key.js';
import { type BudgetSource, RetryBudget, type RetryBudgetSnapshot } from './retry-budget.js';
import {
  checkRetryBudgetOptions,
  type RetryBudgetByKey,
  type RetryBudgetOptions,
  resolveRetryBudgetOptions,
} from './retry-budget.options.js';

const SECTION = 'retryBudgets';

/** A budget for all calls, or one for each key. */
type Budgets = RetryBudget | KeyedInstances<RetryBudget>;

/** The retry budgets of an application: those with names, by key or not, and those of upstreams. */
export class RetryBudgets {
  /** Those with names. */
  private readonly named = new Registry<RetryBudget>('retry budget', 'retryBudgets');
  /** The options of those. */
  private readonly given = new Map<string, RetryBudgetOptions>();
  /** Those that they go by since overrides have changed them. */
  private readonly changed = new Map<string, RetryBudgetOptions>();
  /** Those of upstreams without one. */
  private readonly shared = new Map<string, Budgets>();
  /** Those of single operations, for as long as these are there. */
  private readonly owned = new WeakList<RetryBudget>();
  /** What operations have without a key. */
  private readonly unkeyed = new Set<Budgets>();

  constructor(
    private readonly application: StageHost & Pick<StageApplication, 'memory' | 'registersUnknown'>,
  ) {}

  /** @throws ResilienceConfigurationError where the name is taken */
  add(name: string, options: RetryBudgetOptions): void {
    const place = `retryBudgets.${name}`;
    this.named.add(this.make(name, options, place), place);
    this.given.set(name, options);
  }

  /**
   * One with a name goes by other options from now on, by key or not; its key function stays.
   *
   * @throws ResilienceConfigurationError where the name is unknown, or the options are wrong
   */
  change(name: string, options: RetryBudgetOptions): void {
    const place = `retryBudgets.${name}`;
    this.changeOne(this.named.find(name, place) as Budgets, options, place);
    this.changed.set(name, options);
  }

  /** What one with a name would go by under overrides, if that is something else. */
  propose(name: string, overrides: readonly Layer[]): PolicyChange | undefined {
    const given = this.given.get(name);
    const options = merge(given, ...overrides.map((layer) => layer.options));
    if (isDeepStrictEqual(this.changed.get(name) ?? given, options)) return undefined;
    const [, own] = splitKeyed<RetryBudgetOptions>(options);
    const { options: from } = this.named.find(name, name) as { readonly options: object };
    const to = resolveRetryBudgetOptions(own);
    const place = `retryBudgets.${name}`;
    checkSharedStays(overrides.at(-1)?.place ?? place, given?.shared, own.shared);
    return { place, from, to, apply: () => this.change(name, options) };
  }

  has(name: string): boolean {
    return this.named.isTaken(name);
  }

  names(): string[] {
    return this.named.names();
  }

  /** @throws ResilienceConfigurationError where there is none */
  checkName(budget: string | RetryBudgetByKey, place: string): void {
    this.registered(typeof budget === 'string' ? budget : budget.name, place);
  }

  /** All with names. */
  list(): Budgets[] {
    return this.named.entries() as Budgets[];
  }

  /** @throws ResilienceConfigurationError on an unknown name, and on one that is by key elsewhere only */
  find(budget: string | RetryBudgetByKey, place: string): BudgetSource {
    const { name, key } = typeof budget === 'string' ? { name: budget, key: undefined } : budget;
    const found = this.registered(name, place);
    const asked = key ?? this.given.get(name)?.key;
    if (asked === undefined) return this.use(found, undefined, place);
    if (found instanceof KeyedInstances) return this.use(found, asked, place);
    if (this.unkeyed.has(found))
      throw new ResilienceConfigurationError(
        place,
        `has a key for ${JSON.stringify(name)}, which other operations use without; allowed: a key there too, or for all in retryBudgets.${name}`,
      );
    this.named.remove(found);
    const made = this.keyed(name, this.changed.get(name) ?? this.given.get(name) ?? {}, place);
    return this.use(this.named.add(made, place), asked, place);
  }

  /** One of an operation's own. */
  own(operation: string, options: RetryBudgetOptions = {}, place: string): BudgetSource {
    const made = this.make(operation, options, place);
    if (made instanceof RetryBudget) this.owned.add(made);
    return this.use(made, options.key, place);
  }

  /** That of everything that calls an upstream; made for whoever asks first. */
  ofUpstream(upstream: string, options: RetryBudgetOptions = {}, place: string): BudgetSource {
    if (this.has(upstream)) return this.find(upstream, place);
    const shared = this.shared.get(upstream) ?? this.make(upstream, options, place);
    this.shared.set(upstream, shared);
    return this.use(shared, options.key, place);
  }

  /** What all that are there have learnt. */
  learnt(): Learnt[] {
    return this.all().flatMap((budget) => {
      const state = budget.remember();
      return state === undefined ? [] : [{ section: SECTION, name: budget.name, state, ageMs: 0 }];
    });
  }

  /** What was known before a restart has been loaded. */
  recall(): void {
    for (const budget of this.all()) this.recalled(budget);
  }

  private registered(name: string, place: string): Budgets {
    if (this.application.registersUnknown && !this.has(name)) {
      this.add(name, {});
      this.named.noteMadeUp(name, place);
    }
    return this.named.find(name, place) as Budgets;
  }

  private all(): RetryBudget[] {
    const known = [...this.list(), ...this.shared.values(), ...this.owned];
    return known.flatMap((each) => (each instanceof KeyedInstances ? each.policies() : each));
  }

  private recalled(budget: RetryBudget): RetryBudget {
    this.application.memory?.recall(SECTION, budget.name, (state, agoMs) =>
      budget.recall(state, agoMs),
    );
    return budget;
  }

  /** What is said of keys that there are not. */
  neverKeyed(): string[] {
    return this.list().flatMap((budget) => {
      if (budget instanceof KeyedInstances) return [];
      const option = needingKey(splitKeyed(this.given.get(budget.name) ?? {})[0]);
      return option === undefined
        ? []
        : [
            `retry budget ${budget.name}: ${option} is of budgets by key, and no operation says a key`,
          ];
    });
  }

  private use(found: Budgets, key: KeyFunction | undefined, place: string): BudgetSource {
    if (found instanceof KeyedInstances && key !== undefined)
      return new BudgetByKey(found, key, place);
    if (found instanceof KeyedInstances)
      throw new ResilienceConfigurationError(
        place,
        `is ${JSON.stringify(found.name)}, which other operations have by key; allowed: a key here too, or in retryBudgets.${found.name}`,
      );
    this.unkeyed.add(found);
    return found;
  }

  private make(name: string, options: RetryBudgetOptions, place: string): Budgets {
    checkSharing(place, options.shared, this.application.fleet);
    return options.key === undefined
      ? this.recalled(new RetryBudget(name, options, this.application.fleet))
      : this.keyed(name, options, place);
  }

  private changeOne(budget: Budgets, options: RetryBudgetOptions, place: string): void {
    const [, own] = splitKeyed<RetryBudgetOptions>(checkRetryBudgetOptions(place, options));
    if (budget instanceof KeyedInstances) {
      const { shared } = budget.options as RetryBudgetOptions;
      checkSharedStays(place, shared, own.shared);
      budget.change(this.partsOf(options), (each) => each.change(own));
    } else {
      budget.change(own);
    }
  }

  /** What options by key say. */
  private partsOf(options: RetryBudgetOptions): ChangedParts<RetryBudget> {
    const [keyed, own] = splitKeyed<RetryBudgetOptions>(options);
    return {
      given: options,
      keyed: resolveKeyedOptions(keyed),
      options: resolveRetryBudgetOptions(own),
      make: (instance) => this.recalled(new RetryBudget(instance, own, this.application.fleet)),
    };
  }

  private keyed(
    name: string,
    options: RetryBudgetOptions,
    place: string,
  ): KeyedInstances<RetryBudget> {
    const warn = this.application.warnOf(`The retry budget "${name}"`);
    const parts = this.partsOf(options);
    const { maxKeys } = parts.keyed;
    return new KeyedInstances<RetryBudget>({
      ...parts,
      name,
      place,
      reports: new KeyedReports(this.application, name, {}, false),
      reveal: (budget) => budget,
      dispose: () => undefined,
      shutdown: () => undefined,
      crowded: () => warn(crowded(maxKeys)),
    });
  }
}

/** Whether it is one of those that are known by a name. */
export function sourceOf(budget: BudgetSource): Budgets {
  return budget instanceof BudgetByKey ? budget.budgets : (budget as RetryBudget);
}

/** How the budgets stand that are in use, each once. */
export function snapshotsOf(sources: readonly BudgetSource[]): RetryBudgetSnapshot[] {
  return [...new Set(sources.map(sourceOf))].map((budgets) => {
    if (budgets instanceof RetryBudget) return budgets.getSnapshot();
    const all = budgets.policies().map((budget) => budget.getSnapshot());
    const [fullest] = all.sort((one, other) => left(one) - left(other));
    const { allowed, spent } = fullest ?? { allowed: 0, spent: 0 };
    const refused = all.reduce((sum, each) => sum + each.refused, 0);
    return { name: budgets.pattern, allowed, spent, refused, keys: all.length };
  });
}

function left({ allowed, spent }: RetryBudgetSnapshot): number {
  return allowed - spent;
}

function crowded(maxKeys: number): Error {
  return new Error(
    `has more keys than maxKeys ${maxKeys}, none of which can be forgotten: keys that come now share one`,
  );
}
