import type { HealthLevel } from '../common/stage-instances.js';
import type { BulkheadSnapshot } from './bulkhead.policy.js';

/** How a bulkhead stands, for health checks. */
export interface BulkheadHealth {
  /** `degraded` while it rejects calls, and otherwise `up`. */
  status: HealthLevel;
  /** How many calls run. */
  running: number;
  /** How many calls wait for a slot. */
  queued: number;
  /** How many calls may run at a time. */
  maxConcurrent: number;
  /** How many calls may wait. */
  queueLimit: number;
  /** Whether an operation that is `@Critical()` uses it; only where it is not `up`. */
  critical?: boolean;
  /** The operations that use it; only where it is not `up`. */
  operations?: string[];
}

/** Full is for a moment, so it never takes an instance down: the load would only move to the others. */
export function bulkheadHealth({
  running,
  queued,
  maxConcurrent,
  queueLimit,
  leased = maxConcurrent,
  mode,
}: BulkheadSnapshot): BulkheadHealth {
  const full = mode !== 'shadow' && running > 0 && running >= leased && queued >= queueLimit;
  return { status: full ? 'degraded' : 'up', running, queued, maxConcurrent, queueLimit };
}

/** What bulkheads come to together. */
export function sumOfBulkheads(snapshots: readonly BulkheadSnapshot[]) {
  const sum = { running: 0, queued: 0, maxConcurrent: 0, queueLimit: 0, rejected: 0 };
  for (const each of snapshots)
    for (const of of Object.keys(sum) as (keyof typeof sum)[]) sum[of] += each[of];
  return sum;
}
