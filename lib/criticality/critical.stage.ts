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
    | { type: 'degraded'; operation: string; error: unknown }
    | { type: 'alert'; operation: string; error: unknown; suppressed: number };
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
