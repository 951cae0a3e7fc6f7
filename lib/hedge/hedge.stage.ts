import { checked, fractionDoubt, mergeEither } from '../common/options.js';
import type { RetryPolicy } from '../retry/retry.policy.js';
import { RetryCatalog } from '../retry/retry-catalog.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { checkHedgeOptions, type HedgeOptions, hedgeArgument } from './hedge.options.js';
import { HedgePolicy } from './hedge.policy.js';

/** What is typed of it. */
export interface HedgeTypes {
  name: 'hedge';
  policy: HedgePolicy;
  service: {
    /** For reads that may be made twice at once; what `observe()` runs is not. @default no hedge */
    hedge?: HedgeOptions;
  };
  described: object;
  event: { type: 'hedge'; operation: string; number: number; delayMs: number };
}

/** Makes a call that is slow to answer once more, beside the first. */
export const hedgeStage: StageDefinition<HedgeTypes> = {
  name: 'hedge',
  title: 'hedge',
  place: 'between',
  rule: checked(checkHedgeOptions),
  madeWith: ['retry'],
  overriding: { check: hedgeArgument, merge: mergeHedgeOptions, isAddable: true },
  catalog: (application) => ({
    /** Hedges count as retries, in the budget of the operation's own. */
    resolve({ operation, upstream, place, values, outer, previous }) {
      const layers = values.map((value) => hedgeArgument(place, value));
      const retry = outer.retry as RetryPolicy | undefined;
      const budget =
        retry === undefined
          ? application.catalogOf(RetryCatalog).budgetOf(operation, upstream, undefined, place)
          : retry.budget;
      const known = previous as HedgePolicy | undefined;
      return new HedgePolicy(mergeHedgeOptions(...layers), place, budget, known);
    },
    doubts: (operations) =>
      operations.flatMap(({ operation, stages }) => {
        const hedge = stages.hedge as HedgePolicy | undefined;
        return fractionDoubt(operation, 'afterPercentile', hedge?.options.afterPercentile);
      }),
  }),
  describe: ({ options }) => ({ ...options }),
  summarize: ({ options }) => `at most ${options.maxHedged} hedged`,
  metrics: {
    'hedge.attempt': {
      kind: 'counter',
      exported: 'hedge_attempts',
      help: 'Attempts that were made beside one that was slow to answer.',
      labels: ['operation'],
    },
    'hedge.won': {
      kind: 'counter',
      exported: 'hedges_won',
      help: 'Calls that were answered by an attempt made beside the first, which was slower.',
      labels: ['operation'],
    },
  },
};

/** Later layers win field by field; of what says when, as one. */
function mergeHedgeOptions(...layers: (HedgeOptions | undefined)[]): HedgeOptions {
  return mergeEither(layers, 'delayMs', 'afterPercentile');
}
