import { BulkheadRegistry } from '../bulkhead/bulkhead.registry.js';
import { CircuitBreakerRegistry } from '../circuit-breaker/circuit-breaker.registry.js';
import { Alerts } from '../observability/alerts.js';
import { CircuitLog } from '../observability/circuit-log.js';
import { ErrorCounters } from '../observability/error-counters.js';
import { ErrorTracker } from '../observability/error-tracker.js';
import {
  checkErrorTrackerOptions,
  resolveErrorTrackerOptions,
} from '../observability/error-tracker.options.js';
import { InMemoryMetrics } from '../observability/in-memory-metrics.js';
import { LoggerAlertChannel } from '../observability/logger-alert-channel.js';
import type { MetricsRecorder } from '../observability/metrics.js';
import { MetricsFanOut } from '../observability/metrics-fan-out.js';
import { BulkheadTelemetry, CircuitBreakerTelemetry } from '../observability/policy-telemetry.js';
import { ResilienceEvents } from '../observability/resilience-events.js';
import type { Telemetry } from '../observability/telemetry.js';
import { checkModuleOptions, type ResilienceModuleOptions } from '../resilience-module.options.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { PolicyCatalog } from './policy-catalog.js';

/** What an application's options come to: where outcomes go, and what decorators can refer to. */
export interface Configuration {
  readonly options: ResilienceModuleOptions;
  readonly telemetry: Telemetry & {
    readonly recorders: readonly MetricsRecorder[];
    readonly metrics: MetricsFanOut;
  };
  /** Without the named policies yet. */
  readonly catalog: PolicyCatalog;
}

/** @throws ResilienceConfigurationError */
export function configurationOf(given: ResilienceModuleOptions, inFlight: InFlight): Configuration {
  const options = checkModuleOptions(given);
  const { captureStackTrace = false, defaults = {} } = options;
  const telemetry = telemetryOf(options);
  const breakers = new CircuitBreakerRegistry(
    (name) => ({
      observer: new CircuitBreakerTelemetry(name, telemetry),
      captureStackTrace,
      inFlight,
    }),
    (name) => CircuitBreakerTelemetry.left(name, telemetry),
  );
  const bulkheads = new BulkheadRegistry(
    (name) => ({ observer: new BulkheadTelemetry(name, telemetry), captureStackTrace, inFlight }),
    (name) => BulkheadTelemetry.left(name, telemetry),
  );
  return { options, telemetry, catalog: new PolicyCatalog(breakers, bulkheads, defaults) };
}

function telemetryOf(options: ResilienceModuleOptions): Configuration['telemetry'] {
  const recorders = [options.metrics ?? new InMemoryMetrics()].flat();
  const metrics = new MetricsFanOut(recorders);
  const errorTracker = checkErrorTrackerOptions('errorTracker', options.errorTracker ?? {});
  const tracker = new ErrorTracker(errorTracker);
  countErrors(tracker, metrics);
  return {
    recorders,
    tracker,
    metrics,
    events: new ResilienceEvents(),
    alerts: new Alerts([options.alerts ?? new LoggerAlertChannel()].flat()),
    circuitLog: new CircuitLog(resolveErrorTrackerOptions(errorTracker)),
    alertIntervalMs: options.alertIntervalMs ?? 60_000,
    errorContext: options.errorContext,
  };
}

/** From the tracker, so that the two agree also on what a user tracks by hand. */
export function countErrors({ errors$ }: ErrorTracker, metrics: MetricsFanOut): void {
  const counters = new ErrorCounters(metrics);
  errors$.subscribe((error) => counters.count(error));
}
