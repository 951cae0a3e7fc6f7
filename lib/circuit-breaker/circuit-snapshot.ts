import type { WindowCounts } from '../common/time-window.js';
import { type CircuitBreakerSnapshot, CircuitState } from './circuit-state.js';
import type { Recovery } from './recovery.js';

export const NO_CALLS: WindowCounts = Object.freeze({ calls: 0, failures: 0, slow: 0 });

/** 0 to 100. */
export function percentageOf(part: number, { calls }: WindowCounts): number {
  return calls === 0 ? 0 : (part / calls) * 100;
}

/** A breaker as it is shown. */
export function snapshotOf(
  name: string,
  state: CircuitState,
  counts: WindowCounts,
  recovery: Recovery | undefined,
  at: number,
): CircuitBreakerSnapshot {
  const { calls, failures, slow } = counts;
  const snapshot: CircuitBreakerSnapshot = {
    name,
    state,
    failures,
    successes: calls - failures,
    calls,
    failureRate: percentageOf(failures, counts),
    slowCallRate: percentageOf(slow, counts),
  };
  if (recovery === undefined || recovery.isOver(at)) return snapshot;
  const { openTime, rampUp } = recovery;
  if (rampUp !== undefined) snapshot.rampUpShare = rampUp.share(at);
  else snapshot.openedAt = openTime.outageBeganAt;
  if (state === CircuitState.OPEN) snapshot.retryAfterMs = openTime.leftMs(at);
  return snapshot;
}
