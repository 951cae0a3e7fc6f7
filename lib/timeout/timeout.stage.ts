import { duration } from '../common/option-rules.js';
import { merge } from '../common/options.js';
import { TimeoutError } from '../context/timeout.error.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import type { ShadowTimeout } from './shadow-timeout.js';
import { checkTimeOverrides, describeTime, summarizeTime } from './timeout.options.js';
import type { TimeoutPolicy } from './timeout.policy.js';
import { TimeoutCatalog } from './timeout-catalog.js';
import {
  checkTimeoutLayers,
  type TimeoutHierarchy,
  validateTimeouts,
} from './timeout-hierarchy.js';

/** What is typed of it. */
export interface TimeoutTypes {
  name: 'timeout';
  policy: TimeoutPolicy | ShadowTimeout;
  error: TimeoutError;
  service: {
    /** What one attempt may take, in ms. @default no timeout */
    timeoutMs?: number;
  };
  names: {
    /** Hierarchies of timeouts in ms, for `@Timeout('<name>.<layer>')`. */
    timeouts?: Record<string, TimeoutHierarchy>;
  };
  defaults: {
    /** For `@Timeout()` without an argument, in ms. */
    timeoutMs?: number;
  };
  described: { timeoutMs: number; mode?: 'shadow' };
  event:
    | {
        /** Tells the event apart from others. */
        type: 'timeout';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What an attempt may take, in ms. */
        timeoutMs: number;
      }
    /** In shadow mode the time of an attempt or a whole call was up, which goes on. */
    | {
        /** Tells the event apart from others. */
        type: 'would-time-out';
        /** `ClassName.method`, or the name of the bundle or pipeline. */
        operation: string;
        /** What it may take, in ms. */
        timeoutMs: number;
      };
}

/** Ends an attempt that takes too long. */
export const timeoutStage: StageDefinition<TimeoutTypes> = {
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
  overriding: {
    check: checkTimeOverrides,
    merge,
    isAddable: true,
    hasMode: true,
    described: { timeoutMs: 'attemptMs' },
    sections: { timeouts: { check: checkTimeoutLayers, merge } },
  },
  catalog: (application) => new TimeoutCatalog(application),
  describe: describeTime,
  summarize: (timeout) => summarizeTime(timeout),
  ended: (timeout) => timeout.letProcessEnd(),
  metrics: {
    'timeout.total': {
      kind: 'counter',
      help: 'Attempts that were cut by their timeout.',
      labels: ['operation'],
    },
    'shadow.timeout': {
      kind: 'counter',
      help: 'Attempts and whole calls that their timeout in shadow mode would have cut.',
      labels: ['operation'],
    },
  },
};
