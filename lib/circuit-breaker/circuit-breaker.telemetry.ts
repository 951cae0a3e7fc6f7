import type { BoundMetric, MetricTags } from '../common/metrics.js';
import type { StageHost } from '../stage/stage-definition.js';
import type { CircuitBreakerObserver } from './circuit-breaker.host.js';
import {
  CircuitState,
  type CircuitTransitionDetails,
  type CircuitTransitionReason,
} from './circuit-state.js';

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
export class CircuitBreakerTelemetry implements CircuitBreakerObserver {
  private readonly tags: MetricTags;
  private readonly state: BoundMetric;

  constructor(
    breaker: string,
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

  onTransition(
    { name }: { readonly name: string },
    from: CircuitState,
    to: CircuitState,
    reason: CircuitTransitionReason,
    details: CircuitTransitionDetails,
  ): void {
    const { metrics } = this.host;
    const counter = STATE_COUNTERS[to];
    if (counter !== undefined) metrics.increment(counter, this.tags);
    this.state(STATE_LEVELS[to]);
    this.host.report({ type: 'circuit-state', breaker: name, from, to, reason, ...details });
  }

  onRejected({ name }: { readonly name: string }, retryAfterMs: number): void {
    this.host.metrics.increment('circuit.rejected', this.tags);
    this.host.report({ type: 'circuit-rejected', breaker: name, retryAfterMs });
  }
}
