import { Observations } from '../advisor/observations.js';
import { Chaos } from '../chaos/chaos.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import type { Metrics, MetricsRecorder } from '../common/metrics.js';
import { merge } from '../common/options.js';
import { Guard } from '../errors/guard.js';
import { Membership } from '../fleet/membership.js';
import { Alerts } from '../observability/alerts.js';
import { CircuitLog } from '../observability/circuit-log.js';
import { countErrors } from '../observability/error-counters.js';
import { ErrorTracker } from '../observability/error-tracker.js';
import {
  checkErrorTrackerOptions,
  resolveErrorTrackerOptions,
} from '../observability/error-tracker.options.js';
import { FleetLog } from '../observability/fleet-log.js';
import { InMemoryMetrics } from '../observability/in-memory-metrics.js';
import { LoggerAlertChannel } from '../observability/logger-alert-channel.js';
import { METRICS } from '../observability/metric-catalogue.js';
import { MetricsFanOut } from '../observability/metrics-fan-out.js';
import { OverridesLog } from '../observability/overrides-log.js';
import { ResilienceEvents } from '../observability/resilience-events.js';
import { SheddingLog } from '../observability/shedding-log.js';
import { stageReports } from '../observability/stage-reports.js';
import type { Telemetry } from '../observability/telemetry.js';
import { overridesFromEnv, VARIABLE } from '../overrides/from-environment.js';
import type { PipelineObserver } from '../pipeline/stages.js';
import { Shedding } from '../shedding/shedding.js';
import type { SheddingOptions } from '../shedding/shedding.options.js';
import { SheddingTelemetry } from '../shedding/shedding.telemetry.js';
import type { InFlight } from '../shutdown/in-flight.js';
import { STAGES } from '../stages.js';
import { Memory } from '../state/memory.js';
import { LiveOptions } from './live-options.js';
import { LiveShedding } from './live-shedding.js';
import { checkModuleOptions, type ResilienceModuleOptions, stagesOf } from './module.options.js';
import type { Operation } from './operation.js';
import { PolicyCatalog } from './policy-catalog.js';

/** What a test puts in the place of what an application would go by. */
export interface TestSetup {
  /** What the application goes by, in the place of what it was given. */
  optionsOf(given: ResilienceModuleOptions): ResilienceModuleOptions;
  /** Who is told of an operation's calls, in the place of who would be. */
  observerOf(operation: string, observer: PipelineObserver): PipelineObserver;
}

/** What an application's options come to: where outcomes go, and what decorators can refer to. */
export interface Configuration {
  readonly options: ResilienceModuleOptions;
  readonly telemetry: Telemetry & {
    readonly recorders: readonly MetricsRecorder[];
    readonly metrics: MetricsFanOut;
    readonly fleetLog: FleetLog;
    readonly sheddingLog: SheddingLog;
  };
  /** Without the named policies yet. */
  readonly catalog: PolicyCatalog;
  readonly chaos: Chaos;
  readonly live: LiveOptions;
  readonly shedding: Shedding;
  /** Where it is one of many instances. */
  readonly fleet: Membership | undefined;
  /** Where what its policies have learnt outlives it. */
  readonly memory: Memory | undefined;
  /** Where it is under test. */
  readonly testSetup: TestSetup | undefined;
}

/**
 * @param operations those that there are
 * @throws ResilienceConfigurationError
 */
export function configurationOf(
  given: ResilienceModuleOptions,
  inFlight: InFlight,
  operations: () => readonly Operation[],
  testSetup?: TestSetup,
): Configuration {
  const said = testSetup?.optionsOf(checkModuleOptions(given, stagesOf(given))) ?? given;
  const stages = stagesOf(said);
  const options = checkModuleOptions(said, stages);
  const { captureStackTrace = false, defaults = {} } = options;
  const telemetry = telemetryOf(options);
  for (const { metrics = {} } of stages.filter((stage) => !STAGES.includes(stage)))
    defineMetrics(telemetry.metrics, metrics);
  const fleet = options.fleet && new Membership(options.fleet, telemetry);
  const memory = options.state && new Memory(options.state, warnOf);
  const report = stageReports(telemetry);
  const catalog = new PolicyCatalog(stages, {
    defaults: { ...defaults },
    captureStackTrace,
    inFlight,
    metrics: telemetry.metrics,
    fleet,
    memory,
    registersUnknown: testSetup !== undefined,
    report,
    warnOf,
  });
  const chaos = new Chaos(options.chaos, telemetry, fleet?.orders);
  const { metrics, sheddingLog } = telemetry;
  const sheds = options.inbound?.shedding;
  const sheddingOptions = sheds && merge<SheddingOptions>({ mode: defaults.mode }, sheds);
  const shedding = new Shedding(
    sheddingOptions,
    new SheddingTelemetry({ metrics, report }, sheddingLog),
    captureStackTrace,
  );
  const liveShedding = new LiveShedding(shedding, sheddingOptions);
  const live = liveOptionsOf(options, catalog, operations, telemetry, liveShedding, fleet);
  return { options, telemetry, catalog, chaos, live, shedding, fleet, memory, testSetup };
}

function liveOptionsOf(
  { overrides, overridesFromEnv: isFromEnv }: ResilienceModuleOptions,
  catalog: PolicyCatalog,
  operations: () => readonly Operation[],
  telemetry: Configuration['telemetry'],
  shedding: LiveShedding,
  fleet: Membership | undefined,
): LiveOptions {
  const log = new OverridesLog(telemetry);
  const live = new LiveOptions(catalog, operations, log, shedding, fleet?.orders);
  if (overrides !== undefined) live.begin('overrides', 'overrides', overrides);
  const fromEnv = isFromEnv ? overridesFromEnv() : undefined;
  if (fromEnv !== undefined) live.begin('environment', VARIABLE, fromEnv);
  return live;
}

function warnOf(what: string): (error: unknown) => void {
  const guard = new Guard(what);
  return (error) => guard.warn(error);
}

/** @throws ResilienceConfigurationError where the library records something else by the name */
function defineMetrics(recorders: MetricsFanOut, metrics: Metrics): void {
  for (const [name, metric] of Object.entries(metrics)) {
    if (Object.hasOwn(METRICS, name))
      throw new ResilienceConfigurationError(
        `metrics.${name} of a stage`,
        'is recorded by the library itself; allowed: a name that begins with that of the stage',
      );
    recorders.define(name, metric);
  }
}

function telemetryOf(options: ResilienceModuleOptions): Configuration['telemetry'] {
  const recorders = [options.metrics ?? new InMemoryMetrics()].flat();
  const metrics = new MetricsFanOut(recorders);
  const errorTracker = checkErrorTrackerOptions('errorTracker', options.errorTracker ?? {});
  const tracker = new ErrorTracker(errorTracker);
  const logOptions = resolveErrorTrackerOptions(errorTracker);
  countErrors(tracker, metrics);
  return {
    recorders,
    tracker,
    metrics,
    events: new ResilienceEvents(),
    alerts: new Alerts([options.alerts ?? new LoggerAlertChannel()].flat()),
    circuitLog: new CircuitLog(logOptions),
    observations: new Observations(options.advisor ?? false),
    fleetLog: new FleetLog(logOptions),
    sheddingLog: new SheddingLog(logOptions),
    alertIntervalMs: options.alertIntervalMs ?? 60_000,
    errorContext: options.errorContext,
  };
}
