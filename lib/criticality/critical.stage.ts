import { boolean, check } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';

/** What the final failure of a call means. `true`: it alerts; `false`: it degrades to `null`. */
export const criticalStage: StageDefinition<boolean> = {
  name: 'critical',
  title: 'criticality',
  place: 'call',
  rule: boolean,
  catalog: () => ({
    resolve({ place, values }) {
      for (const value of values) check(place, value, boolean);
      return values.at(-1) as boolean;
    },
  }),
  summarize: (critical) => (critical ? 'critical' : 'nice to have'),
  count: (critical) => (critical ? 'critical' : undefined),
};
