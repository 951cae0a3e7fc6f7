import type { HealthLevel } from '../common/stage-instances.js';
import { type CircuitBreakerSnapshot, CircuitState } from './circuit-state.js';

/** How a circuit breaker stands, for health checks. */
export interface BreakerHealth {
  /**
   * `down` where the instance is of no use while it is open, `degraded` while it is open or half-open, else `up`.
   */
  status: HealthLevel;
  /** Whether it lets calls through. */
  state: CircuitState;
  /** Whether an operation that is `@Critical()` uses it; only where it is not `up`. */
  critical?: boolean;
  /** The operations that use it; only where it is not `up`. */
  operations?: string[];
  /** The percentage of the window's calls that failed, 0 to 100; only where it is not `up`. */
  failureRate?: number;
  /** Since when the dependency has been failing, as an ISO 8601 time; only where it is not `up`. */
  openedAt?: string;
  /** How long it takes until the first probe, in ms; only while it is open. */
  retryAfterMs?: number;
}

/** @param isDecisive whether the instance is of no use while the breaker rejects all */
export function breakerHealth(
  { state, failureRate, openedAt, retryAfterMs }: CircuitBreakerSnapshot,
  isDecisive: boolean,
): BreakerHealth {
  if (state === CircuitState.CLOSED || state === CircuitState.DISABLED)
    return { status: 'up', state };
  const down = isDecisive && rejectsAll(state, retryAfterMs);
  const health: BreakerHealth = { status: down ? 'down' : 'degraded', state, failureRate };
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

/** How much is wrong, least first. */
const BY_SEVERITY = [
  CircuitState.CLOSED,
  CircuitState.DISABLED,
  CircuitState.HALF_OPEN,
  CircuitState.OPEN,
  CircuitState.FORCED_OPEN,
];

/** What breakers come to together: the state is that of the worst. */
export function sumOfBreakers(snapshots: readonly CircuitBreakerSnapshot[]) {
  let state = CircuitState.CLOSED;
  let [calls, failures, openKeys] = [0, 0, 0];
  let wouldBe: CircuitState | undefined;
  for (const each of snapshots) {
    calls += each.calls;
    failures += each.failures;
    state = worse(state, each.state);
    if (each.wouldBe !== undefined) wouldBe = worse(wouldBe ?? CircuitState.CLOSED, each.wouldBe);
    if (each.state === CircuitState.OPEN || each.state === CircuitState.FORCED_OPEN) openKeys++;
  }
  return {
    state,
    openKeys,
    calls,
    failures,
    failureRate: calls === 0 ? 0 : (failures / calls) * 100,
    ...(wouldBe !== undefined && { mode: 'shadow' as const, wouldBe }),
  };
}

function worse(one: CircuitState, other: CircuitState): CircuitState {
  return BY_SEVERITY.indexOf(other) > BY_SEVERITY.indexOf(one) ? other : one;
}
