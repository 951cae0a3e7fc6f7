import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { checked, merge } from '../common/options.js';
import { CallKeys } from '../stage/call-keys.js';
import type { KeyFunction } from '../stage/keyed.options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { type CoalesceOptions, checkCoalesceOptions } from './coalesce.options.js';
import { CoalescePolicy } from './coalesce.policy.js';

/** What is typed of it. */
export interface CoalesceTypes {
  name: 'coalesce';
  policy: CoalescePolicy;
  service: {
    /** Equal calls that run at the same time share one execution. @default each is made */
    coalesce?: Required<CoalesceOptions>;
  };
  /** By what calls are equal. */
  described: { by: 'arguments' | 'key' };
  /** A call has joined one that runs; so many wait for that now. */
  event: {
    /** Tells the event apart from others. */
    type: 'coalesced';
    /** `ClassName.method`, or the name of the bundle or pipeline. */
    operation: string;
    /** How many callers wait for the one execution, with the one that joins. */
    waiting: number;
  };
}

/** Lets equal calls that run at the same time share one execution. */
export const coalesceStage: StageDefinition<CoalesceTypes> = {
  name: 'coalesce',
  title: 'coalescing',
  place: 'call',
  rule: checked(checkCoalesceOptions),
  catalog: (application) => ({
    resolve({ operation, place, values }) {
      const layers = values.map((value) => checkCoalesceOptions(place, value));
      const { key } = merge<CoalesceOptions>(...layers);
      const warn = application.warnOf(`The key of ${operation}, by which its calls are coalesced,`);
      return new CoalescePolicy(
        operation,
        new CallKeys(key as KeyFunction | undefined, place, warn),
        application,
      );
    },
  }),
  suits(policy, place, work) {
    policy.keys.suit(place, work);
    if (work.sendsItself)
      throw new ResilienceConfigurationError(
        place,
        'is on a handler that sends its response itself, and would send one for all; use @Res({ passthrough: true })',
      );
  },
  describe: ({ keys }) => ({ by: keys.by }),
  summarize: ({ keys }) => `coalesced by ${keys.by}`,
  metrics: {
    'coalesce.joined': {
      kind: 'counter',
      help: 'Calls that shared the execution of an equal one, which was running.',
      labels: ['operation'],
    },
  },
};
