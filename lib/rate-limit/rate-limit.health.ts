import type { HealthLevel } from '../common/stage-instances.js';
import type { RateLimitSnapshot } from './rate-limit.policy.js';

/** How a rate limit stands, for health checks. */
export interface RateLimitHealth {
  /** `degraded` while it refuses calls or is paused by its partner, and otherwise `up`. */
  status: HealthLevel;
  /** So many calls begin in an interval. */
  limit: number;
  /** So many could begin at once. */
  available: number;
  /** How many calls wait for their turn. */
  queued: number;
  /** Whether an operation that is `@Critical()` uses it; only where it is not `up`. */
  critical?: boolean;
  /** The operations that use it; only where it is not `up`. */
  operations?: string[];
  /** How long nobody is let in, because the partner has said so, in ms. */
  pausedMs?: number;
}

/** A limit that is reached is there to be: an instance that was taken down for it would lose its share. */
export function rateLimitHealth(snapshot: RateLimitSnapshot): RateLimitHealth {
  const { limit, available, queued, queueLimit, mode } = snapshot;
  const pausedMs = mode === 'shadow' ? 0 : snapshot.pausedMs;
  const refuses = mode !== 'shadow' && available < 1 && queued >= queueLimit;
  const health: RateLimitHealth = {
    status: refuses || pausedMs > 0 ? 'degraded' : 'up',
    limit,
    available,
    queued,
  };
  if (pausedMs > 0) health.pausedMs = pausedMs;
  return health;
}

/** What rate limits come to together. */
export function sumOfRateLimits(snapshots: readonly RateLimitSnapshot[]) {
  const sum = { queued: 0, rejected: 0, pausedKeys: 0 };
  for (const { queued, rejected, pausedMs } of snapshots) {
    sum.queued += queued;
    sum.rejected += rejected;
    if (pausedMs > 0) sum.pausedKeys++;
  }
  return sum;
}
