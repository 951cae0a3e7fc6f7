import { type BulkheadPolicy, type CircuitBreakerPolicy, CircuitState } from '../index.js';
import type { PolicyUsage } from './policy-usage.js';

/** `degraded`: something does not get through, and the instance serves all the same. */
export type HealthLevel = 'up' | 'degraded' | 'down';

export interface BreakerHealth {
  status: HealthLevel;
  state: CircuitState;
  /** The following only where it is not `up`. */
  critical?: boolean;
  /** What does not get through. */
  operations?: string[];
  /** Failed calls in the window, 0 to 100. */
  failureRate?: number;
  /** ISO 8601. */
  openedAt?: string;
  /** Until the first probe, in ms. */
  retryAfterMs?: number;
}

export interface BulkheadHealth {
  status: HealthLevel;
  running: number;
  queued: number;
  maxConcurrent: number;
  queueLimit: number;
  /** The following only where it is not `up`. */
  critical?: boolean;
  /** What does not get through. */
  operations?: string[];
}

export function breakerHealth(
  breaker: CircuitBreakerPolicy,
  usage: PolicyUsage,
  downOnCritical: boolean,
): BreakerHealth {
  const { state, failureRate, openedAt, retryAfterMs } = breaker.getSnapshot();
  if (state === CircuitState.CLOSED || state === CircuitState.DISABLED) {
    return { status: 'up', state };
  }
  const down = downOnCritical && usage.critical === true && rejectsAll(state, retryAfterMs);
  const health: BreakerHealth = { status: down ? 'down' : 'degraded', state, ...whom(usage) };
  health.failureRate = failureRate;
  if (openedAt !== undefined) health.openedAt = openedAt;
  if (retryAfterMs !== undefined) health.retryAfterMs = retryAfterMs;
  return health;
}

/**
 * A breaker leaves its open state by the first call that comes when the time has passed. An instance
 * that was down until then would get no calls, and never recover: from then on it is only degraded.
 */
function rejectsAll(state: CircuitState, retryAfterMs = 0): boolean {
  return state === CircuitState.FORCED_OPEN || (state === CircuitState.OPEN && retryAfterMs > 0);
}

/** Full is for a moment, so it never takes an instance down: the load would only move to the others. */
export function bulkheadHealth(bulkhead: BulkheadPolicy, usage: PolicyUsage): BulkheadHealth {
  const { running, queued, maxConcurrent, queueLimit } = bulkhead.getSnapshot();
  const full = running >= maxConcurrent && queued >= queueLimit;
  const health: BulkheadHealth = {
    status: full ? 'degraded' : 'up',
    running,
    queued,
    maxConcurrent,
    queueLimit,
  };
  return full ? { ...health, ...whom(usage) } : health;
}

function whom({
  critical,
  operations,
}: PolicyUsage): Pick<BreakerHealth, 'critical' | 'operations'> {
  return critical === undefined ? { operations } : { critical, operations };
}
