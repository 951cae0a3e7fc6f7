import { Logger } from '@nestjs/common';
import { isObservable } from 'rxjs';
import { BulkheadRegistry } from '../bulkhead/bulkhead.registry.js';
import { CircuitBreakerRegistry } from '../circuit-breaker/circuit-breaker.registry.js';
import { display, known, ResilienceConfigurationError } from '../common/configuration.error.js';
import type { AttemptContext } from '../context/scope.js';
import type { MethodDefinition } from '../dispatch/method-definition.js';
import { type AnyMethod, DispatchingRuntime } from '../dispatch/runtime-slot.js';
import { Alerts } from '../observability/alerts.js';
import { ErrorTracker } from '../observability/error-tracker.js';
import { InMemoryMetrics } from '../observability/in-memory-metrics.js';
import { LoggerAlertChannel } from '../observability/logger-alert-channel.js';
import type { MetricsRecorder } from '../observability/metrics.js';
import { MetricsFanOut } from '../observability/metrics-fan-out.js';
import { ResilienceEvents } from '../observability/resilience-events.js';
import {
  BulkheadTelemetry,
  CircuitBreakerTelemetry,
  OperationTelemetry,
  type Telemetry,
} from '../observability/telemetry.js';
import { Pipeline } from '../pipeline/pipeline.js';
import { Shutdown } from '../pipeline/shutdown.js';
import {
  checkFeatureOptions,
  checkModuleOptions,
  type ResilienceFeatureOptions,
  type ResilienceModuleOptions,
} from '../resilience-module.options.js';
import { checkServiceOptions, type ServiceOptions } from '../service/service.options.js';
import { resilientGenerator } from './async-generator.js';
import { type Class, type MethodOperation, type MethodPlan, planClass } from './method-planner.js';
import type { Operation } from './operation.js';
import { PolicyCatalog } from './policy-catalog.js';
import { inOptions, type ResolvedOperation, StageResolver, settingsOf } from './stage-resolver.js';

/**
 * One application's resilience: its policies, its operations, and what they report to. Everything
 * that has state is in here, so that two applications in a process share nothing.
 *
 * It exists before its options are known: Nest hands it to every instance that it makes.
 */
export class ResilienceRuntime extends DispatchingRuntime {
  readonly shutdown = new Shutdown();
  private readonly logger = new Logger('ResilienceModule');
  private configured: Configured | undefined = undefined;
  private readonly classes = new Map<Class, Map<MethodDefinition, MethodOperation>>();
  private readonly services = new Map<string, Operation>();
  private readonly pipelines: Operation[] = [];
  private readonly features = new Set<ResilienceFeatureOptions>();
  private readonly early = new Set<MethodDefinition>();
  readonly warnings: string[] = [];

  /**
   * Sets everything up, once.
   *
   * @param features the options of every `forFeature()` so far
   * @throws ResilienceConfigurationError
   */
  configure(given: ResilienceModuleOptions, features: readonly ResilienceFeatureOptions[]): void {
    const options = checkModuleOptions(given);
    const { captureStackTrace = false } = options;
    const telemetry = telemetryOf(options);
    const breakers = new CircuitBreakerRegistry((name) => ({
      observer: new CircuitBreakerTelemetry(name, telemetry),
      captureStackTrace,
    }));
    const bulkheads = new BulkheadRegistry((name) => ({
      observer: new BulkheadTelemetry(name, telemetry),
      captureStackTrace,
    }));
    const catalog = new PolicyCatalog(breakers, bulkheads, options.defaults ?? {});
    this.configured = { options, telemetry, catalog };
    for (const feature of features) this.features.add(feature);
    const all = [options, ...features.map((feature) => checkFeatureOptions(feature))];
    for (const each of all) catalog.add(each);
    for (const each of all) this.planServices(each); // a bundle may refer to what another module names
  }

  get ready(): boolean {
    return this.configured !== undefined;
  }

  get options(): ResilienceModuleOptions {
    return this.state.options;
  }

  get telemetry(): Telemetry & { recorders: readonly MetricsRecorder[] } {
    return this.state.telemetry;
  }

  get catalog(): PolicyCatalog {
    return this.state.catalog;
  }

  /** Takes in the options of a `forFeature()`; again is no harm. */
  addFeature(options: ResilienceFeatureOptions): void {
    if (this.features.has(options)) return;
    const checked = checkFeatureOptions(options);
    this.features.add(options);
    this.catalog.add(checked);
    this.planServices(checked);
  }

  /** All operations: those of the classes, and those made programmatically. */
  operations(): Operation[] {
    return [
      ...[...this.classes.values()].flatMap((operations) => [...operations.values()]),
      ...this.services.values(),
      ...this.pipelines,
    ];
  }

  /**
   * The operation of a bundle in `services`.
   *
   * @throws ResilienceConfigurationError on an unknown name
   */
  service(name: string): Operation {
    const operation = this.services.get(name);
    if (operation !== undefined) return operation;
    throw new ResilienceConfigurationError(
      `ResilienceService.execute(${display(name)})`,
      `there is no service ${display(name)}; ${known(this.services.keys())}`,
    );
  }

  /**
   * Makes the operations of a class, if they are not made yet.
   *
   * @returns the new ones
   * @throws ResilienceConfigurationError
   */
  plan(type: Class): MethodOperation[] {
    if (this.classes.has(type)) return [];
    const operations = new Map<MethodDefinition, MethodOperation>();
    for (const [definition, plan] of planClass(type, this.catalog)) {
      operations.set(definition, this.methodOperation(type, plan));
    }
    this.classes.set(type, operations);
    return [...operations.values()];
  }

  /**
   * Makes an operation of options that are given in code.
   *
   * @throws ResilienceConfigurationError
   */
  addPipeline(name: string, options: ServiceOptions): Operation {
    const place = `pipeline ${display(name)}`;
    const settings = settingsOf(checkServiceOptions(place, options));
    const resolved = new StageResolver(this.catalog, name, inOptions(place), [settings]).resolve();
    const operation = this.programmatic(name, resolved);
    this.pipelines.push(operation);
    return operation;
  }

  private pipeline(
    name: string,
    service: string,
    { stages, upstream }: ResolvedOperation,
  ): Pipeline {
    const labels = { service, operation: name, upstream, critical: stages.critical };
    return new Pipeline({
      operation: name,
      stages,
      observer: new OperationTelemetry(labels, this.telemetry),
      shutdown: this.shutdown,
      captureStackTrace: this.options.captureStackTrace ?? false,
    });
  }

  /** Runs a decorated method. */
  override dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown {
    if (this.configured === undefined) {
      this.warnEarly(self, definition);
      return original.apply(self, args);
    }
    let operation: MethodOperation | undefined;
    try {
      operation = this.operationOf(self, definition);
    } catch (error) {
      return Promise.reject(error); // an object that was not there at boot, of a class that is wrong
    }
    if (operation === undefined) return original.apply(self, args);
    const { pipeline, returns, signals } = operation;
    const origin = { self, args };
    const call = (attempt: AttemptContext) =>
      original.apply(self, signals.length === 0 ? args : withSignal(args, signals, attempt));
    if (returns === 'observable') return pipeline.stream(call, origin);
    if (returns === 'async-generator') {
      return resilientGenerator(
        (attempt) => pipeline.call(attempt, origin),
        () => original.apply(self, args) as AsyncGenerator<unknown>,
      );
    }
    return pipeline.call((attempt) => notObservable(call(attempt), operation), origin);
  }

  /** Ends what waits; nothing new will. */
  close(): void {
    this.shutdown.close();
    for (const bulkhead of this.configured?.catalog.bulkheads.list() ?? []) bulkhead.shutdown();
  }

  private get state(): Configured {
    if (this.configured === undefined) {
      throw new ResilienceConfigurationError('ResilienceModule', 'its options are not known yet');
    }
    return this.configured;
  }

  private planServices({ services }: ResilienceFeatureOptions): void {
    for (const name of Object.keys(services ?? {})) {
      const resolved = new StageResolver(this.catalog, name, inOptions(`services.${name}`), [
        { service: name },
      ]).resolve();
      this.services.set(name, this.programmatic(name, resolved));
    }
  }

  private programmatic(name: string, resolved: ResolvedOperation): Operation {
    return {
      kind: 'service',
      upstream: resolved.upstream,
      pipeline: this.pipeline(name, name, resolved),
    };
  }

  private methodOperation(type: Class, plan: MethodPlan): MethodOperation {
    this.warnings.push(...plan.warnings);
    const { kind, upstream, returns, signals } = plan;
    return {
      kind,
      upstream,
      returns,
      signals,
      pipeline: this.pipeline(plan.name, plan.service ?? type.name, plan),
    };
  }

  /** A method that a derived class has overridden, called by `super`, is an operation of its own class. */
  private operationOf(self: object, definition: MethodDefinition): MethodOperation | undefined {
    const type = (Object.getPrototypeOf(self) as { constructor: Class }).constructor;
    return this.find(type, definition) ?? this.find(definition.owner, definition);
  }

  private find(type: Class, definition: MethodDefinition): MethodOperation | undefined {
    const operations = this.classes.get(type);
    if (operations !== undefined) return operations.get(definition);
    this.plan(type);
    return this.classes.get(type)?.get(definition);
  }

  private warnEarly(self: object, definition: MethodDefinition): void {
    if (this.early.has(definition)) return;
    this.early.add(definition);
    const name = `${self.constructor.name}.${String(definition.key)}`;
    this.logger.warn(
      `${name} is called before the options of ResilienceModule.forRootAsync() are known: this call runs unprotected`,
    );
  }
}

interface Configured {
  readonly options: ResilienceModuleOptions;
  readonly telemetry: Telemetry & { recorders: readonly MetricsRecorder[] };
  readonly catalog: PolicyCatalog;
}

function telemetryOf(options: ResilienceModuleOptions): Configured['telemetry'] {
  const recorders = [options.metrics ?? new InMemoryMetrics()].flat();
  return {
    recorders,
    tracker: new ErrorTracker(options.errorTracker),
    metrics: new MetricsFanOut(recorders),
    events: new ResilienceEvents(),
    alerts: new Alerts([options.alerts ?? new LoggerAlertChannel()].flat()),
    alertIntervalMs: options.alertIntervalMs ?? 60_000,
    errorContext: options.errorContext,
  };
}

function withSignal(
  args: unknown[],
  positions: readonly number[],
  attempt: AttemptContext,
): unknown[] {
  const replaced = [...args];
  for (const position of positions) replaced[position] = attempt.signal;
  return replaced;
}

function notObservable(result: unknown, { pipeline }: MethodOperation): unknown {
  if (result instanceof Promise || !isObservable(result)) return result;
  throw new ResilienceConfigurationError(
    pipeline.plan.operation,
    'returns an Observable that it does not declare; annotate its return type: `: Observable<…>`',
  );
}
