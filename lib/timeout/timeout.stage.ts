import { duration } from '../common/options.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { TimeoutError } from './timeout.error.js';
import type { TimeoutPolicy } from './timeout.policy.js';
import { TimeoutCatalog } from './timeout-catalog.js';
import { type TimeoutHierarchy, validateTimeouts } from './timeout-hierarchy.js';

/** Ends an attempt that takes too long. */
export const timeoutStage = {
  name: 'timeout',
  title: 'timeout',
  place: 'attempt',
  error: TimeoutError,
  key: 'timeoutMs',
  rule: duration,
  defaults: { key: 'timeoutMs', rule: duration },
  sections: {
    timeouts: (place, value) => validateTimeouts(value as TimeoutHierarchy, place),
  },
  catalog: (application) => new TimeoutCatalog(application),
  describe: ({ delayMs }) => ({ timeoutMs: delayMs }),
  summarize: ({ delayMs }) => `timeout ${delayMs} ms`,
  ended: (timeout) => timeout.letProcessEnd(),
  metrics: {
    'timeout.total': {
      kind: 'counter',
      help: 'Attempts that were cut by their timeout.',
      labels: ['operation'],
    },
  },
} satisfies StageDefinition<TimeoutPolicy>;
