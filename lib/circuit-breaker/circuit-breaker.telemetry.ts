import type { BoundMetric, Metrics, MetricTags } from '../common/metrics.js';
import type { WindowCounts } from '../common/time-window.js';
import { tellWouldReject } from '../stage/shadow.telemetry.js';
import type { StageHost } from '../stage/stage-host.js';
import { percentageOf } from './circuit-snapshot.js';
import { CircuitState, type CircuitTransitionDetails } from './circuit-state.js';
import type { Transition } from './recovery.js';

const STATE_LEVELS: Record<CircuitState, number> = {
  [CircuitState.CLOSED]: 0,
  [CircuitState.DISABLED]: 0,
  [CircuitState.HALF_OPEN]: 1,
  [CircuitState.OPEN]: 2,
  [CircuitState.FORCED_OPEN]: 2,
};

const STATE_COUNTERS: Partial<Record<CircuitState, string>> = {
  [CircuitState.CLOSED]: 'circuit.closed',
  [CircuitState.HALF_OPEN]: 'circuit.half_open',
  [CircuitState.OPEN]: 'circuit.open',
  [CircuitState.FORCED_OPEN]: 'circuit.open',
};

/** Reports what happens to one circuit breaker. */
export class CircuitBreakerTelemetry {
  private readonly tags: MetricTags;
  private readonly state: BoundMetric;

  constructor(
    private readonly breaker: string,
    private readonly host: StageHost,
  ) {
    this.tags = Object.freeze({ breaker });
    this.state = host.metrics.bind('gauge', 'circuit.state', this.tags);
    this.state(STATE_LEVELS[CircuitState.CLOSED]);
  }

  /** One that is there no more is not open either. */
  static left(breaker: string, { metrics }: StageHost): void {
    metrics.gauge('circuit.state', STATE_LEVELS[CircuitState.CLOSED], { breaker });
  }

  /** @param retryAfterMs where it has opened */
  changed(
    from: CircuitState,
    { to, reason, error, by }: Transition,
    counts: WindowCounts,
    retryAfterMs: number | undefined,
  ): void {
    const { breaker, host } = this;
    const details = detailsOf(error, counts, retryAfterMs);
    if (by !== undefined) details.by = by;
    const counter = STATE_COUNTERS[to];
    if (counter !== undefined) host.metrics.increment(counter, this.tags);
    this.state(STATE_LEVELS[to]);
    host.report({ type: 'circuit-state', breaker, from, to, reason, ...details });
  }

  wouldOpen({ reason, error }: Transition, counts: WindowCounts, retryAfterMs: number): void {
    const { breaker, host } = this;
    host.metrics.increment('shadow.opened', this.tags);
    const details = detailsOf(error, counts, retryAfterMs);
    host.report({ type: 'would-open', breaker, reason, ...details });
  }

  wouldReject(): void {
    tellWouldReject(this.host, 'circuitBreaker', this.breaker, 'open');
  }

  rejected(retryAfterMs: number): void {
    const { breaker, host } = this;
    host.metrics.increment('circuit.rejected', this.tags);
    host.report({ type: 'circuit-rejected', breaker, retryAfterMs });
  }
}

function detailsOf(
  error: unknown,
  counts: WindowCounts,
  retryAfterMs: number | undefined,
): CircuitTransitionDetails {
  const { calls, failures } = counts;
  const failureRate = percentageOf(failures, counts);
  const details: CircuitTransitionDetails = { calls, failures, failureRate };
  if (error !== undefined) details.error = error;
  if (retryAfterMs !== undefined) details.retryAfterMs = retryAfterMs;
  return details;
}

/** What it records. */
export const CIRCUIT_BREAKER_METRICS: Metrics = {
  'circuit.open': {
    kind: 'counter',
    help: 'How often the circuit breaker opened, by itself or by force.',
    labels: ['breaker'],
  },
  'circuit.half_open': {
    kind: 'counter',
    help: 'How often the circuit breaker became half-open, to probe its dependency.',
    labels: ['breaker'],
  },
  'circuit.closed': {
    kind: 'counter',
    help: 'How often the circuit breaker closed again.',
    labels: ['breaker'],
  },
  'circuit.rejected': {
    kind: 'counter',
    help: 'Attempts that the circuit breaker rejected.',
    labels: ['breaker'],
  },
  'shadow.opened': {
    kind: 'counter',
    help: 'How often the circuit breaker would have opened, in shadow mode.',
    labels: ['breaker'],
  },
  'circuit.state': {
    kind: 'gauge',
    help: 'State of the circuit breaker: 0 closed or disabled, 1 half-open, 2 open.',
    labels: ['breaker'],
    announces: ['circuit.open', 'circuit.half_open', 'circuit.closed', 'circuit.rejected'].map(
      (counter) => ({ counter }),
    ),
    aggregator: 'max',
  },
};
