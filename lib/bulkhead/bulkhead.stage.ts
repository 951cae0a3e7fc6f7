import { checked, nameOr } from '../common/options.js';
import { NamedCatalog } from '../stage/named-catalog.js';
import type { StageDefinition } from '../stage/stage-definition.js';
import { BulkheadRejectedError } from './bulkhead.error.js';
import { checkBulkheadOptions, type ResolvedBulkheadOptions } from './bulkhead.options.js';
import type { BulkheadPolicy } from './bulkhead.policy.js';
import { BULKHEADS } from './bulkhead.registry.js';
import { BULKHEAD_METRICS } from './bulkhead.telemetry.js';

/** Limits how many calls run at a time. */
export const bulkheadStage = {
  name: 'bulkhead',
  title: 'bulkhead',
  place: 'attempt',
  error: BulkheadRejectedError,
  rule: nameOr(checkBulkheadOptions),
  defaults: { key: 'bulkhead', rule: checked(checkBulkheadOptions) },
  sections: { bulkheads: checkBulkheadOptions },
  instances: BULKHEADS,
  catalog: (application) => new NamedCatalog(BULKHEADS, application),
  describe: ({ name, options }) => ({ name, ...options }),
  summarize: ({ name, options }) => `bulkhead ${name} (${slotsOf(options)})`,
  metrics: BULKHEAD_METRICS,
} satisfies StageDefinition<BulkheadPolicy>;

function slotsOf({ adaptive, minConcurrent, maxConcurrent }: ResolvedBulkheadOptions): string {
  return adaptive ? `${minConcurrent} to ${maxConcurrent}, adaptive` : `${maxConcurrent}`;
}
