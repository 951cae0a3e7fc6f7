import type { Metrics } from '../common/metrics.js';
import type { StageHost } from './stage-host.js';

/** A policy in shadow mode let a call through that it would have rejected. */
export interface WouldRejectEvent {
  /** Tells the event apart from others. */
  type: 'would-reject';
  /** `circuitBreaker`, `bulkhead`, `rateLimit`, or `shedding`. */
  stage: string;
  /** Of the policy; of shedding, `server`. */
  name: string;
  /** Of one that is kept by key, whose name is `partner[acme]`. */
  key?: string;
  /** Why, in the words of the policy's own rejections; of a breaker `open`. */
  reason: string;
}

/** Tells that a policy would have rejected a call. */
export function tellWouldReject(
  host: Pick<StageHost, 'metrics' | 'report'>,
  stage: string,
  name: string,
  reason: string,
): void {
  host.metrics.increment('shadow.rejected', { stage, name, reason });
  host.report({ type: 'would-reject', stage, name, reason });
}

export const SHADOW_METRICS: Metrics = {
  'shadow.rejected': {
    kind: 'counter',
    help: 'Calls that a policy in shadow mode would have rejected, by its stage, its name and the reason.',
    labels: ['stage', 'name', 'reason'],
  },
};
