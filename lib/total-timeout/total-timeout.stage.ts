import { duration } from '../common/option-rules.js';
import { merge } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { checkTimeOverrides, describeTime, summarizeTime } from '../timeout/timeout.options.js';
import type { ShadowTotalTimeout } from './shadow-total-timeout.js';
import { TotalTimeoutCatalog } from './total-timeout.catalog.js';
import type { TotalTimeoutPolicy } from './total-timeout.policy.js';

/** What is typed of it. */
export interface TotalTimeoutTypes {
  name: 'totalTimeout';
  policy: TotalTimeoutPolicy | ShadowTotalTimeout;
  service: {
    /** What a call may take, with all its attempts and waits, in ms. @default no limit */
    totalTimeoutMs?: number;
  };
  described: { timeoutMs: number; mode?: 'shadow' };
  event: {
    /** Tells the event apart from others. */
    type: 'total-timeout';
    /** `ClassName.method`, or the name of the bundle or pipeline. */
    operation: string;
    /** What the call may take, with all its attempts and waits, in ms. */
    timeoutMs: number;
  };
}

/** Ends a call whose attempts and waits take too long together. Its fallback may still answer. */
export const totalTimeoutStage: StageDefinition<TotalTimeoutTypes> = {
  name: 'totalTimeout',
  title: 'total timeout',
  place: 'call',
  saidBy: 'timeout',
  key: 'totalTimeoutMs',
  rule: duration,
  overriding: {
    check: checkTimeOverrides,
    merge,
    isAddable: true,
    hasMode: true,
    described: { timeoutMs: 'totalMs' },
  },
  catalog: (application) => new TotalTimeoutCatalog(application),
  describe: describeTime,
  summarize: (total) => summarizeTime(total, ' in total'),
  ended: (total) => total.letProcessEnd(),
  metrics: {
    'total_timeout.total': {
      kind: 'counter',
      help: 'Calls whose attempts and waits were cut by the total timeout.',
      labels: ['operation'],
    },
  },
};
