import { boolean } from '../common/option-rules.js';
import { check } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';

/** What is typed of it. */
export interface CriticalTypes {
  name: 'critical';
  policy: boolean;
  service: {
    /** `true`: the final failure alerts; `false`: it degrades to `null`. @default neither */
    critical?: boolean;
  };
  event:
    | {
        /** Tells the event apart from others. */
        type: 'degraded';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What the call failed by, for which its caller gets `null`. */
        error: unknown;
      }
    | {
        /** Tells the event apart from others. */
        type: 'alert';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What the call failed by. */
        error: unknown;
        /** How many alerts of the operation were held back since the last one. */
        suppressed: number;
      };
}

/** What the final failure of a call means. `true`: it alerts; `false`: it degrades to `null`. */
export const criticalStage: StageDefinition<CriticalTypes> = {
  name: 'critical',
  title: 'criticality',
  place: 'call',
  rule: boolean,
  isSwitch: false,
  catalog: () => ({
    resolve({ place, values }) {
      for (const value of values) check(place, value, boolean);
      return values.at(-1) as boolean;
    },
  }),
  summarize: (critical) => (critical ? 'critical' : 'nice to have'),
  count: (critical) => (critical ? 'critical' : undefined),
};
