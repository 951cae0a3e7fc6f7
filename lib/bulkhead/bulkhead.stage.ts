import { namedStage } from '../stage/named-catalog.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import { type BulkheadOptions, type ResolvedBulkheadOptions } from './bulkhead.options.js';
import type { BulkheadPolicy } from './bulkhead.policy.js';
import { BULKHEADS } from './bulkhead.registry.js';
import { BULKHEAD_METRICS } from './bulkhead.telemetry.js';

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

/** Limits how many calls run at a time. */
export const bulkheadStage = namedStage<BulkheadTypes, BulkheadOptions>(BULKHEADS, {
  error: BulkheadRejectedError,
  summarize: ({ name, options }) => `bulkhead ${name} (${slotsOf(options)})`,
  metrics: BULKHEAD_METRICS,
});

function slotsOf({ adaptive, minConcurrent, maxConcurrent }: ResolvedBulkheadOptions): string {
  return adaptive ? `${minConcurrent} to ${maxConcurrent}, adaptive` : `${maxConcurrent}`;
}
