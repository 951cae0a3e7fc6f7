import { Registry } from '../common/registry.js';
import { namedStage } from '../stage/named-catalog.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import { bulkheadHealth } from './bulkhead.health.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  mergeBulkheadOptions,
  type ResolvedBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadPolicy } from './bulkhead.policy.js';
import { BULKHEAD_METRICS, BulkheadTelemetry } from './bulkhead.telemetry.js';

/** What is typed of it. */
export interface BulkheadTypes {
  name: 'bulkhead';
  policy: BulkheadPolicy;
  error: BulkheadRejectedError;
  service: {
    /** Options for a bulkhead shared under the service's name, or the name of one in `bulkheads`. */
    bulkhead?: BulkheadOptions | string;
  };
  names: {
    /** Bulkheads, for `@Bulkhead(name)` and `@InjectBulkhead(name)`. */
    bulkheads?: Record<string, BulkheadOptions>;
  };
  defaults: { bulkhead?: BulkheadOptions };
  /** With the `name` that it is shared by. */
  described: { name: string };
  event: { type: 'bulkhead-rejected'; bulkhead: string; reason: BulkheadRejectionReason };
}

/** The bulkheads of an application: the named ones, and those that decorators made inline. */
export class BulkheadRegistry extends Registry<BulkheadPolicy> {}

/** Limits how many calls run at a time. */
export const bulkheadStage = namedStage<BulkheadTypes, BulkheadOptions>(
  {
    stage: 'bulkhead',
    title: 'bulkhead',
    section: 'bulkheads',
    policy: BulkheadPolicy,
    registry: BulkheadRegistry,
    check: checkBulkheadOptions,
    instead: (number) => `{ maxConcurrent: ${number} }`,
    merge: mergeBulkheadOptions,
    resolve: resolveBulkheadOptions,
    make: (name, options, host) => new BulkheadPolicy(name, options, host),
    snapshot: (bulkhead) => bulkhead.getSnapshot(),
    health: bulkheadHealth,
    left: BulkheadTelemetry.left,
    shutdown: (bulkhead) => bulkhead.shutdown(),
  },
  {
    error: BulkheadRejectedError,
    summarize: ({ name, options }) => `bulkhead ${name} (${slotsOf(options)})`,
    metrics: BULKHEAD_METRICS,
  },
);

function slotsOf({ adaptive, minConcurrent, maxConcurrent }: ResolvedBulkheadOptions): string {
  return adaptive ? `${minConcurrent} to ${maxConcurrent}, adaptive` : `${maxConcurrent}`;
}
