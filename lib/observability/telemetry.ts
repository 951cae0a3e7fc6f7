import type { Observations } from '../advisor/observations.js';
import type { RecentCalls } from '../advisor/recent-calls.js';
import { now } from '../common/clock.js';
import type { BoundMetric, MetricTags } from '../common/metrics.js';
import { isChaos } from '../context/chaos-marks.js';
import { AlertThrottle } from '../criticality/alert-throttle.js';
import type { ErrorContext } from '../errors/error-context.js';
import { errorType } from '../errors/error-record.js';
import { Guard } from '../errors/guard.js';
import type {
  EndedAttempt,
  FailedCall,
  FailureOutcome,
  PipelineObserver,
} from '../pipeline/stages.js';
import type { RetrySuppression } from '../retry/retry.policy.js';
import type { Alerts } from './alerts.js';
import type { OperationCalls } from './call-rates.js';
import type { CircuitLog } from './circuit-log.js';
import type { ErrorTracker } from './error-tracker.js';
import type { MetricsFanOut } from './metrics-fan-out.js';
import type { ResilienceEvents } from './resilience-events.js';
import type { SharedSeries } from './shared-series.js';

/** Everything that outcomes are fed to: the one way out. */
export interface Telemetry {
  readonly tracker: ErrorTracker;
  readonly metrics: MetricsFanOut;
  readonly events: ResilienceEvents;
  readonly alerts: Alerts;
  readonly circuitLog: CircuitLog;
  readonly observations: Observations;
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

/** How calls of an operation ended in one way. */
class OutcomeMetrics {
  private readonly total: SharedSeries;
  private readonly duration: SharedSeries;

  constructor(metrics: MetricsFanOut, operation: string, outcome: 'success' | FailureOutcome) {
    const tags = Object.freeze({ operation, outcome });
    this.total = metrics.series('counter', 'requests.total', tags);
    this.duration = metrics.series('histogram', 'request.duration', tags);
  }

  /** @param reached whether it says how long what is called takes, and not how fast it was rejected */
  record(durationMs: number, reached: boolean): void {
    this.total.count(1);
    if (reached) this.duration.observe(durationMs);
  }
}

/** Reports what happens to the calls of one operation. What recurs is bound once. */
export class OperationTelemetry implements PipelineObserver {
  private readonly operationTags: MetricTags;
  private readonly outcomes: Record<'success' | FailureOutcome, OutcomeMetrics>;
  private readonly timeouts: BoundMetric;
  private readonly errors: BoundMetric;
  private readonly recentCalls: RecentCalls | undefined;
  private counts: OperationCalls | undefined = undefined;
  private readonly throttle: AlertThrottle;
  /** A real failure is not held back because of one that was injected. */
  private readonly chaosThrottle: AlertThrottle;
  private readonly contextGuard = new Guard('errorContext');

  constructor(
    private readonly labels: OperationLabels,
    private readonly telemetry: Telemetry,
  ) {
    const { operation, critical } = labels;
    const { metrics, observations } = telemetry;
    this.recentCalls = observations.of(operation);
    this.operationTags = Object.freeze({ operation });
    this.outcomes = {
      success: new OutcomeMetrics(metrics, operation, 'success'),
      failure: new OutcomeMetrics(metrics, operation, 'failure'),
      fallback: new OutcomeMetrics(metrics, operation, 'fallback'),
      degraded: new OutcomeMetrics(metrics, operation, 'degraded'),
    };
    this.timeouts = metrics.bind('counter', 'timeout.total', this.operationTags);
    const critically = Object.freeze({ operation, critical: critical === true });
    this.errors = metrics.bind('counter', 'service.error', critically);
    this.throttle = new AlertThrottle(telemetry.alertIntervalMs);
    this.chaosThrottle = new AlertThrottle(telemetry.alertIntervalMs);
  }

  onRetry(error: unknown, attempt: number, delayMs: number): void {
    const { operation } = this.labels;
    const tags = { operation, error_type: errorType(error), attempt };
    this.telemetry.metrics.increment('retry.attempt', tags);
    this.telemetry.events.emit({ type: 'retry', operation, error, attempt, delayMs });
  }

  onRetrySuppressed(error: unknown, attempt: number, reason: RetrySuppression): void {
    const { operation } = this.labels;
    if (reason === 'budget') this.observed?.suppressedByBudget(now());
    this.telemetry.metrics.increment('retry.suppressed', { operation, reason });
    this.telemetry.events.emit({ type: 'retry-suppressed', operation, error, attempt, reason });
  }

  onHedge(number: number, delayMs: number): void {
    this.telemetry.metrics.increment('hedge.attempt', this.operationTags);
    this.telemetry.events.emit({
      type: 'hedge',
      operation: this.labels.operation,
      number,
      delayMs,
    });
  }

  onHedgeWon(): void {
    this.telemetry.metrics.increment('hedge.won', this.operationTags);
  }

  onTimeout(timeoutMs: number): void {
    this.timeouts(1);
    this.telemetry.events.emit({ type: 'timeout', operation: this.labels.operation, timeoutMs });
  }

  onSuccess(durationMs: number, at: number, attempt?: EndedAttempt): void {
    this.recordCall(false, at);
    this.outcomes.success.record(durationMs, true);
    this.observed?.answered(durationMs, at, attempt);
  }

  onAttemptFailed(error: unknown, attempt: EndedAttempt, isCut: boolean): void {
    this.observed?.attemptFailed(error, attempt, isCut);
  }

  onCriticalFailure(error: unknown): void {
    const chaos = isChaos(error) || undefined;
    const suppressed = (chaos ? this.chaosThrottle : this.throttle).pass();
    if (suppressed === undefined) return;
    const { operation } = this.labels;
    const told = this.telemetry.tracker.redaction.describe(error);
    const alert = { operation, error, ...told, context: this.context(), chaos, suppressed };
    this.telemetry.alerts.send(alert, this.labels.breaker);
    this.telemetry.events.emit({ type: 'alert', operation, error, suppressed });
  }

  onFallbackFailure(error: unknown, fallbackError: unknown): void {
    const { operation } = this.labels;
    this.telemetry.metrics.increment('service.fallback_failed', this.operationTags);
    this.observed?.fallbackFailed(now());
    this.telemetry.events.emit({
      type: 'fallback',
      operation,
      error,
      succeeded: false,
      fallbackError,
    });
  }

  onFailure(error: unknown, call: FailedCall): void {
    const { tracker, metrics, events } = this.telemetry;
    const { operation } = this.labels;
    const { outcome } = call;
    const at = now();
    this.recordCall(true, at);
    this.observed?.failed(error, call.durationMs, at, outcome === 'fallback');
    tracker.count(error, this.context(), outcome !== 'failure', call);
    this.outcomes[outcome].record(call.durationMs, call.reached);
    this.errors(1);
    if (outcome === 'fallback') {
      metrics.increment('service.fallback_success', this.operationTags);
      const age = call.ageMs === undefined ? undefined : { ageMs: call.ageMs };
      events.emit({ type: 'fallback', operation, error, succeeded: true, ...age });
    }
    if (outcome === 'degraded') events.emit({ type: 'degraded', operation, error });
  }

  /** What the advisor learns from, while it does. */
  private get observed(): RecentCalls | undefined {
    return this.telemetry.observations.since === undefined ? undefined : this.recentCalls;
  }

  /** Bound at the first call: until then a test may have put another tracker in the place of ours. */
  private recordCall(failed: boolean, at: number): void {
    this.counts ??= this.telemetry.tracker.callsOf(this.labels.operation);
    this.counts.count(failed, at);
  }

  /** What the user adds comes first: who failed is for the library to say. */
  private context(): ErrorContext {
    const { service, operation, upstream } = this.labels;
    const { errorContext } = this.telemetry;
    const given = errorContext && this.contextGuard.run(() => ({ ...errorContext() }));
    const context: ErrorContext = { ...given, service, operation };
    if (upstream !== undefined) context.upstream = upstream;
    return this.telemetry.tracker.redaction.context(context);
  }
}
