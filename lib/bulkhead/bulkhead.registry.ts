import { Registry } from '../common/registry.js';
import type { NamedInstances } from '../stage/named-instances.js';
import { bulkheadHealth } from './bulkhead.health.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  mergeBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadPolicy } from './bulkhead.policy.js';
import { BulkheadTelemetry } from './bulkhead.telemetry.js';

/** The bulkheads of an application: the named ones, and those that decorators made inline. */
export class BulkheadRegistry extends Registry<BulkheadPolicy> {}

/** How bulkheads are named and made. */
export const BULKHEADS: NamedInstances<BulkheadPolicy, BulkheadOptions> = {
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
};
