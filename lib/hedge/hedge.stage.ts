import { checked } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { checkHedgeOptions, type HedgeOptions, hedgeArgument } from './hedge.options.js';
import type { HedgePolicy } from './hedge.policy.js';
import { HedgeCatalog, mergeHedgeOptions } from './hedge-catalog.js';

/** What is typed of it. */
export interface HedgeTypes {
  name: 'hedge';
  policy: HedgePolicy;
  service: {
    /** For reads that may be made twice at once; what `observe()` runs is not. @default no hedge */
    hedge?: HedgeOptions;
  };
  described: HedgeOptions & { maxHedged: number };
  event: {
    /** Tells the event apart from others. */
    type: 'hedge';
    /** `ClassName.method`, or the name of the bundle or pipeline. */
    operation: string;
    /** Which additional call it is, from 1. */
    number: number;
    /** After how long without an answer it began, in ms. */
    delayMs: number;
  };
}

/** Makes a call that is slow to answer once more, beside the first. */
export const hedgeStage: StageDefinition<HedgeTypes> = {
  name: 'hedge',
  title: 'hedge',
  place: 'between',
  rule: checked(checkHedgeOptions),
  madeWith: ['retry'],
  overriding: { check: hedgeArgument, merge: mergeHedgeOptions, isAddable: true },
  catalog: (application) => new HedgeCatalog(application),
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
