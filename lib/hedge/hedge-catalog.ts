import { fractionDoubt } from '../common/option-rules.js';
import { mergeEither } from '../common/options.js';
import { WeakList } from '../common/weak-list.js';
import type { RetryPolicy } from '../retry/retry.policy.js';
import { RetryCatalog } from '../retry/retry-catalog.js';
import type {
  Said,
  StageApplication,
  StageCatalog,
  StagedOperation,
} from '../stage/stage-definition.js';
import type { Learnt } from '../state/state-document.js';
import { type HedgeOptions, hedgeArgument } from './hedge.options.js';
import { HedgePolicy } from './hedge.policy.js';

const SECTION = 'hedges';

/** The hedges of an application, each of an operation's own. */
export class HedgeCatalog implements StageCatalog<HedgePolicy> {
  /** Those of operations that are there. */
  private readonly made = new WeakList<HedgePolicy>();

  constructor(private readonly application: StageApplication) {}

  /** Hedges count as retries, in the budget of the operation's own. */
  resolve({ operation, upstream, place, values, outer, previous }: Said): HedgePolicy {
    const layers = values.map((value) => hedgeArgument(place, value));
    const retry = outer.retry as RetryPolicy | undefined;
    const budget =
      retry === undefined
        ? this.application.catalogOf(RetryCatalog).budgetOf(operation, upstream, undefined, place)
        : retry.budget;
    const options = mergeHedgeOptions(...layers);
    const before = previous instanceof HedgePolicy ? previous : undefined;
    const policy = new HedgePolicy(operation, options, place, budget, before);
    this.made.add(policy);
    this.recalled(policy);
    return policy;
  }

  doubts(operations: readonly StagedOperation[]): string[] {
    return operations.flatMap(({ operation, stages }) => {
      const hedge = stages.hedge as HedgePolicy | undefined;
      return fractionDoubt(operation, 'afterPercentile', hedge?.options.afterPercentile);
    });
  }

  learnt(): Learnt[] {
    return [...this.made].flatMap((policy) => {
      const state = policy.remember();
      return state === undefined
        ? []
        : [{ section: SECTION, name: policy.operation, state, ageMs: 0 }];
    });
  }

  recall(): void {
    for (const policy of this.made) this.recalled(policy);
  }

  private recalled(policy: HedgePolicy): void {
    this.application.memory?.recall(SECTION, policy.operation, (state) => policy.recall(state));
  }
}

/** Later layers win field by field; of what says when, as one. */
export function mergeHedgeOptions(...layers: (HedgeOptions | undefined)[]): HedgeOptions {
  return mergeEither(layers, 'delayMs', 'afterPercentile');
}
