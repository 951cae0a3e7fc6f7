import { type NamedInstances, PolicyRegistry } from '../stage/named-instances.js';
import { bulkheadHealth } from './bulkhead.health.js';
import type { BulkheadHost } from './bulkhead.host.js';
import {
  type BulkheadOptions,
  checkBulkheadOptions,
  mergeBulkheadOptions,
  resolveBulkheadOptions,
} from './bulkhead.options.js';
import { BulkheadPolicy } from './bulkhead.policy.js';
import { BulkheadTelemetry } from './bulkhead.telemetry.js';

/** The bulkheads of an application: the named ones, and those that decorators made inline. */
export class BulkheadRegistry extends PolicyRegistry<
  BulkheadPolicy,
  BulkheadOptions,
  BulkheadHost
> {
  /** @internal */
  constructor(hostFor: (name: string) => BulkheadHost, onLeft?: (name: string) => void) {
    super(BULKHEADS, hostFor, onLeft);
  }
}

/** How bulkheads are named and made. */
export const BULKHEADS: NamedInstances<BulkheadPolicy, BulkheadOptions, BulkheadHost> = {
  stage: 'bulkhead',
  title: 'bulkhead',
  section: 'bulkheads',
  policy: BulkheadPolicy,
  needs: 'tryAcquire',
  registry: BulkheadRegistry,
  check: checkBulkheadOptions,
  instead: (number) => `{ maxConcurrent: ${number} }`,
  merge: mergeBulkheadOptions,
  resolve: resolveBulkheadOptions,
  make: (name, options, host) => new BulkheadPolicy(name, options, host),
  host: (name, application) => ({
    ...application,
    observer: new BulkheadTelemetry(name, application),
  }),
  snapshot: (bulkhead) => bulkhead.getSnapshot(),
  health: bulkheadHealth,
  left: (name, application) => BulkheadTelemetry.left(name, application),
  shutdown: (bulkhead) => bulkhead.shutdown(),
};
