import type { BulkheadRejectionReason } from '../bulkhead/bulkhead.error.js';
import type { BulkheadObserver } from '../bulkhead/bulkhead.host.js';
import type { BulkheadPolicy } from '../bulkhead/bulkhead.policy.js';
import type { CircuitBreakerObserver } from '../circuit-breaker/circuit-breaker.host.js';
import type { CircuitBreakerPolicy } from '../circuit-breaker/circuit-breaker.policy.js';
import {
  CircuitState,
  type CircuitTransitionDetails,
  type CircuitTransitionReason,
} from '../circuit-breaker/circuit-state.js';
import type { BoundMetric, MetricTags } from './metrics.js';
import type { Telemetry } from './telemetry.js';

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
    private readonly telemetry: Telemetry,
  ) {
    this.tags = Object.freeze({ breaker });
    this.state = telemetry.metrics.bind('gauge', 'circuit.state', this.tags);
    this.state(STATE_LEVELS[CircuitState.CLOSED]);
  }

  /** One that is there no more is not open either. */
  static left(breaker: string, { metrics }: Telemetry): void {
    metrics.gauge('circuit.state', STATE_LEVELS[CircuitState.CLOSED], { breaker });
  }

  onTransition(
    { name }: CircuitBreakerPolicy,
    from: CircuitState,
    to: CircuitState,
    reason: CircuitTransitionReason,
    details: CircuitTransitionDetails,
  ): void {
    const { metrics, events } = this.telemetry;
    const counter = STATE_COUNTERS[to];
    if (counter !== undefined) metrics.increment(counter, this.tags);
    this.state(STATE_LEVELS[to]);
    const transition = { breaker: name, from, to, reason, ...details };
    this.telemetry.circuitLog.write(transition);
    if (to === CircuitState.CLOSED) this.telemetry.alerts.recovered(name);
    events.emit({ type: 'circuit-state', ...transition });
  }

  onRejected({ name }: CircuitBreakerPolicy, retryAfterMs: number): void {
    this.telemetry.metrics.increment('circuit.rejected', this.tags);
    this.telemetry.events.emit({ type: 'circuit-rejected', breaker: name, retryAfterMs });
  }
}

/** Reports what happens to one bulkhead. */
export class BulkheadTelemetry implements BulkheadObserver {
  private readonly running: BoundMetric;
  private readonly queued: BoundMetric;
  private readonly limit: BoundMetric;

  constructor(
    bulkhead: string,
    private readonly telemetry: Telemetry,
  ) {
    const tags = Object.freeze({ bulkhead });
    this.running = telemetry.metrics.bind('gauge', 'bulkhead.running', tags);
    this.queued = telemetry.metrics.bind('gauge', 'bulkhead.queued', tags);
    this.limit = telemetry.metrics.bind('gauge', 'bulkhead.limit', tags);
    this.running(0);
    this.queued(0);
  }

  static left(bulkhead: string, { metrics }: Telemetry): void {
    metrics.gauge('bulkhead.running', 0, { bulkhead });
    metrics.gauge('bulkhead.queued', 0, { bulkhead });
  }

  onChange(_bulkhead: BulkheadPolicy, running: number, queued: number): void {
    this.running(running);
    this.queued(queued);
  }

  onRejected({ name }: BulkheadPolicy, reason: BulkheadRejectionReason): void {
    this.telemetry.metrics.increment('bulkhead.rejected', { bulkhead: name, reason });
    this.telemetry.events.emit({ type: 'bulkhead-rejected', bulkhead: name, reason });
  }

  onLimit(_bulkhead: BulkheadPolicy, limit: number): void {
    this.limit(limit);
  }
}
