import type { Metrics } from '../common/metrics.js';

/** What is done to an attempt. */
export type ChaosEffect = 'error' | 'hang' | 'latency' | 'result';

/** Something was injected. */
export interface ChaosEvent {
  /** Tells the event apart from others. */
  type: 'chaos';
  /** The operation that it was injected into. */
  operation: string;
  /** The id of the rule; `header` where a request asked for it. */
  rule: string;
  /** What was done to the attempt. */
  effect: ChaosEffect;
  /** Into which attempt of the call; the first is 1. */
  attempt: number;
  /** For how long its work was delayed, in ms; also before an error or a result. */
  latencyMs?: number;
}

export const CHAOS_METRICS: Metrics = {
  'chaos.injected': {
    kind: 'counter',
    help: 'Faults that chaos rules injected into attempts, by their effect: error, hang, latency or result.',
    labels: ['operation', 'effect'],
  },
};
