import type { BulkheadRejectionReason } from '../bulkhead/bulkhead.error.js';
import type { BulkheadObserver, BulkheadPolicy } from '../bulkhead/bulkhead.policy.js';
import type {
  CircuitBreakerObserver,
  CircuitBreakerPolicy,
} from '../circuit-breaker/circuit-breaker.policy.js';
import { CircuitState, type CircuitTransitionReason } from '../circuit-breaker/circuit-state.js';
import type { ErrorContext } from '../common/error-context.js';
import { AlertThrottle } from '../criticality/alert-throttle.js';
import type { FailureOutcome, Passage, PipelineObserver } from '../pipeline/stages.js';
import type { Alerts } from './alerts.js';
import { errorType } from './error-record.js';
import type { ErrorTracker } from './error-tracker.js';
import { Guard } from './guard.js';
import type { MetricsRecorder, MetricTags } from './metrics.js';
import type { ResilienceEvents } from './resilience-events.js';

/** Everything that outcomes are fed to: the one way out. */
export interface Telemetry {
  readonly tracker: ErrorTracker;
  readonly metrics: MetricsRecorder;
  readonly events: ResilienceEvents;
  readonly alerts: Alerts;
  readonly alertIntervalMs: number;
  readonly errorContext: (() => Partial<ErrorContext>) | undefined;
}

/** What an operation is called in errors, metrics and events. */
export interface OperationLabels {
  readonly service: string;
  readonly operation: string;
  readonly upstream: string | undefined;
  readonly critical: boolean | undefined;
  readonly breaker: string | undefined;
}

/** Reports what happens to the calls of one operation. Tags that recur are made once. */
export class OperationTelemetry implements PipelineObserver {
  private readonly operationTags: MetricTags;
  private readonly outcomeTags: Record<'success' | FailureOutcome, MetricTags>;
  private readonly throttle: AlertThrottle;
  private readonly contextGuard = new Guard('errorContext');

  constructor(
    private readonly labels: OperationLabels,
    private readonly telemetry: Telemetry,
  ) {
    const { operation } = labels;
    this.operationTags = Object.freeze({ operation });
    this.outcomeTags = {
      success: Object.freeze({ operation, outcome: 'success' }),
      failure: Object.freeze({ operation, outcome: 'failure' }),
      fallback: Object.freeze({ operation, outcome: 'fallback' }),
      degraded: Object.freeze({ operation, outcome: 'degraded' }),
    };
    this.throttle = new AlertThrottle(telemetry.alertIntervalMs);
  }

  onRetry(error: unknown, attempt: number, delayMs: number): void {
    const { operation } = this.labels;
    const tags = { operation, error_type: errorType(error), attempt };
    this.telemetry.metrics.increment('retry.attempt', tags);
    this.telemetry.events.emit({ type: 'retry', operation, error, attempt, delayMs });
  }

  onTimeout(timeoutMs: number): void {
    this.telemetry.metrics.increment('timeout.total', this.operationTags);
    this.telemetry.events.emit({ type: 'timeout', operation: this.labels.operation, timeoutMs });
  }

  onSuccess(durationMs: number, _at: number): void {
    this.telemetry.tracker.recordCall(this.labels.operation, false);
    this.record('success', durationMs);
  }

  onCriticalFailure(error: unknown): void {
    const suppressed = this.throttle.pass();
    if (suppressed === undefined) return;
    const { operation } = this.labels;
    const alert = { operation, error, context: this.context(), suppressed };
    this.telemetry.alerts.send(alert, this.labels.breaker);
    this.telemetry.events.emit({ type: 'alert', operation, error, suppressed });
  }

  onFallbackFailure(error: unknown, fallbackError: unknown): void {
    const { operation } = this.labels;
    this.telemetry.metrics.increment('service.fallback_failed', this.operationTags);
    this.telemetry.events.emit({
      type: 'fallback',
      operation,
      error,
      succeeded: false,
      fallbackError,
    });
  }

  onFailure(error: unknown, outcome: FailureOutcome, durationMs: number, passage: Passage): void {
    const { tracker, metrics, events } = this.telemetry;
    const { operation, critical } = this.labels;
    tracker.recordCall(operation, true);
    tracker.count(error, this.context(), outcome !== 'failure', passage);
    this.record(outcome, durationMs);
    metrics.increment('service.error', { operation, critical: critical === true });
    if (outcome === 'fallback') {
      metrics.increment('service.fallback_success', this.operationTags);
      events.emit({ type: 'fallback', operation, error, succeeded: true });
    }
    if (outcome === 'degraded') events.emit({ type: 'degraded', operation, error });
  }

  private record(outcome: 'success' | FailureOutcome, durationMs: number): void {
    const tags = this.outcomeTags[outcome];
    this.telemetry.metrics.increment('requests.total', tags);
    this.telemetry.metrics.observe('request.duration', durationMs, tags);
  }

  /** What the user adds comes first: who failed is for the library to say. */
  private context(): ErrorContext {
    const { service, operation, upstream } = this.labels;
    const { errorContext } = this.telemetry;
    const given = errorContext && this.contextGuard.run(() => ({ ...errorContext() }));
    const context: ErrorContext = { ...given, service, operation };
    if (upstream !== undefined) context.upstream = upstream;
    return this.telemetry.tracker.redaction.apply(context);
  }
}

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

  constructor(
    breaker: string,
    private readonly telemetry: Telemetry,
  ) {
    this.tags = Object.freeze({ breaker });
    telemetry.metrics.gauge('circuit.state', STATE_LEVELS[CircuitState.CLOSED], this.tags);
  }

  onTransition(
    { name }: CircuitBreakerPolicy,
    from: CircuitState,
    to: CircuitState,
    reason: CircuitTransitionReason,
  ): void {
    const { metrics, events } = this.telemetry;
    const counter = STATE_COUNTERS[to];
    if (counter !== undefined) metrics.increment(counter, this.tags);
    metrics.gauge('circuit.state', STATE_LEVELS[to], this.tags);
    if (to === CircuitState.CLOSED) this.telemetry.alerts.recovered(name);
    events.emit({ type: 'circuit-state', breaker: name, from, to, reason });
  }

  onRejected({ name }: CircuitBreakerPolicy, retryAfterMs: number): void {
    this.telemetry.metrics.increment('circuit.rejected', this.tags);
    this.telemetry.events.emit({ type: 'circuit-rejected', breaker: name, retryAfterMs });
  }
}

/** Reports what happens to one bulkhead. */
export class BulkheadTelemetry implements BulkheadObserver {
  private readonly tags: MetricTags;

  constructor(
    bulkhead: string,
    private readonly telemetry: Telemetry,
  ) {
    this.tags = Object.freeze({ bulkhead });
  }

  onChange(_bulkhead: BulkheadPolicy, running: number, queued: number): void {
    this.telemetry.metrics.gauge('bulkhead.running', running, this.tags);
    this.telemetry.metrics.gauge('bulkhead.queued', queued, this.tags);
  }

  onRejected({ name }: BulkheadPolicy, reason: BulkheadRejectionReason): void {
    this.telemetry.metrics.increment('bulkhead.rejected', { bulkhead: name, reason });
    this.telemetry.events.emit({ type: 'bulkhead-rejected', bulkhead: name, reason });
  }
}
