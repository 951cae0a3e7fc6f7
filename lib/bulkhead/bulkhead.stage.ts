import { Registry } from '../common/registry.js';
import { namedStage } from '../instances/named-stage.js';
import type { Keyable, KeyedReference } from '../stage/keyed.options.js';
import { BulkheadRejectedError, type BulkheadRejectionReason } from './bulkhead.error.js';
import { bulkheadHealth, sumOfBulkheads } from './bulkhead.health.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  mergeBulkheadOptions,
  type ResolvedBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadPolicy, type BulkheadSnapshot } from './bulkhead.policy.js';
import { BULKHEAD_METRICS, BulkheadTelemetry } from './bulkhead.telemetry.js';

/** What is typed of it. */
export interface BulkheadTypes {
  name: 'bulkhead';
  policy: BulkheadPolicy;
  error: BulkheadRejectedError;
  service: {
    /** Options for a bulkhead shared under the service's name, or the name of one in `bulkheads`, also by key. */
    bulkhead?: Keyable<BulkheadOptions> | KeyedReference | string;
  };
  names: {
    /** Bulkheads, for `@Bulkhead(name)` and `@InjectBulkhead(name)`. */
    bulkheads?: Record<string, Keyable<BulkheadOptions>>;
  };
  defaults: {
    /** What bulkheads leave out. */
    bulkhead?: Keyable<BulkheadOptions>;
  };
  /** With the `name` that it is shared by; by key the pattern of the names. */
  described: { name: string } & Keyable<ResolvedBulkheadOptions>;
  event: {
    /** Tells the event apart from others. */
    type: 'bulkhead-rejected';
    /** The name of the bulkhead. */
    bulkhead: string;
    /** Of one that is kept by key, whose name is `partner[acme]`: the key. */
    key?: string;
    /** Why the call was rejected. */
    reason: BulkheadRejectionReason;
  };
}

/**
 * The bulkheads of an application: the named ones, and those that decorators made inline.
 *
 * @example
 * bulkheads.get('reports').getSnapshot().running; // how many calls run
 */
export class BulkheadRegistry extends Registry<BulkheadPolicy> {}

/** Limits how many calls run at a time. */
export const bulkheadStage = namedStage<BulkheadTypes, BulkheadOptions>(
  {
    stage: 'bulkhead',
    title: 'bulkhead',
    section: 'bulkheads',
    isSharable: true,
    canShadow: true,
    policy: BulkheadPolicy,
    registry: BulkheadRegistry,
    check: checkBulkheadOptions,
    main: 'maxConcurrent',
    merge: mergeBulkheadOptions,
    resolve: resolveBulkheadOptions,
    make: (name, options, host) => new BulkheadPolicy(name, options, host),
    snapshot: (bulkhead) => bulkhead.getSnapshot(),
    sum: (snapshots) => sumOfBulkheads(snapshots as BulkheadSnapshot[]),
    health: bulkheadHealth,
    change: (bulkhead, options) => bulkhead.change(options),
    remember: (bulkhead) => bulkhead.remember(),
    recall: (bulkhead, remembered) => bulkhead.recall(remembered),
    left: BulkheadTelemetry.left,
    shutdown: (bulkhead) => bulkhead.shutdown(),
    dispose: (bulkhead) => bulkhead.dispose(),
  },
  {
    error: BulkheadRejectedError,
    summarize: ({ name, options }) => `bulkhead ${name} (${slotsOf(options)})`,
    metrics: BULKHEAD_METRICS,
  },
);

function slotsOf(options: ResolvedBulkheadOptions): string {
  const { adaptive, minConcurrent, maxConcurrent, shared } = options;
  if (shared) return `${maxConcurrent}, shared`;
  return adaptive ? `${minConcurrent} to ${maxConcurrent}, adaptive` : `${maxConcurrent}`;
}
