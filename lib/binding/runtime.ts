import { Logger } from '@nestjs/common';
import {
  display,
  ResilienceConfigurationError,
  unregistered,
} from '../common/configuration.error.js';
import { check, text } from '../common/options.js';
import { WeakList } from '../common/weak-list.js';
import {
  type AnyMethod,
  type Class,
  definitionsOf,
  type MethodDefinition,
  type Settings,
} from '../dispatch/method-definition.js';
import { DispatchingRuntime, fillSlot } from '../dispatch/runtime-slot.js';
import { Guard } from '../observability/guard.js';
import { type OperationLabels, OperationTelemetry } from '../observability/telemetry.js';
import { Pipeline } from '../pipeline/pipeline.js';
import type { Plan, Stages } from '../pipeline/stages.js';
import type { TracedOperation } from '../pipeline/tracer.js';
import {
  checkFeatureOptions,
  type ResilienceFeatureOptions,
  type ResilienceModuleOptions,
} from '../resilience-module.options.js';
import { checkServiceOptions, type ServiceOptions } from '../service/service.options.js';
import { Shutdown } from '../shutdown/shutdown.js';
import { ClassCoverage, type CoverageReport } from './class-coverage.js';
import { type Configuration, configurationOf } from './configuration.js';
import { callMethod, MethodWork } from './method-call.js';
import { type MethodOperation, type MethodPlan, planClass } from './method-planner.js';
import type { Operation } from './operation.js';
import { adviceOnNames, OperationNames } from './operation-names.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { inOptions, type ResolvedOperation, StageResolver, settingsOf } from './stage-resolver.js';
import { substitute } from './substitutes.js';

const DEFAULT_GRACE_MS = 5_000;

interface LatestOperation {
  readonly prototype: unknown;
  readonly operation: MethodOperation;
  readonly work: MethodWork;
}

/**
 * One application's resilience: its policies, its operations, and what they report to. Everything
 * that has state is in here, so that two applications in a process share nothing.
 *
 * It exists before its options are known: Nest hands it to every instance that it makes.
 */
export class ResilienceRuntime extends DispatchingRuntime {
  private readonly shutdown = new Shutdown(() => this.rejectQueued());
  private readonly logger = new Logger('ResilienceModule');
  private configuration: Configuration | undefined = undefined;
  private readonly planned = new Set<Class>();
  private readonly coverages = new Map<Class, ClassCoverage>();
  private readonly classes = new Map<Class, Map<MethodDefinition, MethodOperation>>();
  /** Of each method, the operation that was called last, which is mostly the next one too. */
  private readonly latest = new Map<MethodDefinition, LatestOperation>();
  private readonly services = new Map<string, Operation>();
  /** Made in code, which holds them if anybody does. */
  private readonly pipelines = new WeakList<Pipeline>();
  private readonly programmatics = new WeakMap<Pipeline, Operation>();
  private readonly names = new OperationNames((name) =>
    [...this.pipelines].some(({ plan }) => plan.operation === name),
  );
  private readonly features = new Set<ResilienceFeatureOptions>();
  /** By token, until the options are known. */
  private readonly substitutes = new Map<unknown, unknown>();
  /** The classes of what was taken in, whose operations are made when all features are known. */
  private readonly adopted = new Set<Class>();
  private readonly early = new Set<MethodDefinition>();
  private readonly tracerGuard = new Guard('The tracer');
  readonly warnings: string[] = [];
  readonly coverageReports: CoverageReport[] = [];

  /**
   * Sets everything up, once.
   *
   * @param features the options of every `forFeature()` so far
   * @throws ResilienceConfigurationError
   */
  configure(given: ResilienceModuleOptions, features: readonly ResilienceFeatureOptions[]): void {
    const configuration = configurationOf(given, this.shutdown);
    this.configuration = configuration;
    for (const feature of features) this.features.add(feature);
    const all = [configuration.options, ...features.map((feature) => checkFeatureOptions(feature))];
    for (const each of all) this.catalog.add(each);
    for (const each of all) this.catalog.checkBudgets(each);
    for (const each of all) this.planServices(each); // a bundle may refer to what another module names
  }

  /**
   * Calls use what a test has put in the place of an injectable of the module's.
   *
   * @throws ResilienceConfigurationError where it can do nothing of what calls need
   */
  substitute(token: unknown, given: unknown): void {
    if (this.configuration === undefined) this.substitutes.set(token, given);
    else substitute(token, given, this.configuration);
  }

  /** The same for what was there before the policies. */
  applySubstitutes(): void {
    for (const [token, given] of this.substitutes) substitute(token, given, this.state);
    this.substitutes.clear();
  }

  get options(): ResilienceModuleOptions {
    return this.state.options;
  }

  get telemetry(): Configuration['telemetry'] {
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
    this.catalog.checkBudgets(checked);
    this.planServices(checked);
  }

  /** All operations: those of the classes, and those made programmatically. */
  operations(): Operation[] {
    return [
      ...[...this.classes.values()].flatMap((operations) => [...operations.values()]),
      ...this.services.values(),
      ...[...this.pipelines].flatMap((pipeline) => this.programmatics.get(pipeline) ?? []),
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
      unregistered('service', name, this.services.keys(), 'services'),
    );
  }

  /**
   * Makes the operations of a class, if they are not made yet.
   *
   * @param module the name of the one that provides it, if that is known
   * @returns the new ones
   * @throws ResilienceConfigurationError
   */
  plan(type: Class, module?: string): MethodOperation[] {
    if (this.planned.has(type)) return [];
    const definitions = definitionsOf(type);
    const made = this.makeOperations(type, definitions, module);
    this.planned.add(type);
    const covered = this.coverageOf(type).report(definitions);
    if (covered !== undefined) this.coverageReports.push(covered);
    const advice = adviceOnNames(type, made);
    if (advice !== undefined) this.warnings.push(advice);
    return made;
  }

  /** Takes in an object that Nest did not construct, where its class has decorated methods. */
  adopt(instance: unknown): void {
    try {
      if (!fillSlot(instance, this)) return;
    } catch {
      return; // a proxy that does not want to be looked at has nothing of ours
    }
    this.adopted.add(classOf(instance as object));
  }

  /**
   * Makes the operations of what was taken in by now.
   *
   * @throws ResilienceConfigurationError
   */
  planAdopted(): void {
    for (const type of this.adopted) this.plan(type);
    this.adopted.clear();
  }

  /**
   * Makes an operation of options that are given in code.
   *
   * @throws ResilienceConfigurationError
   */
  addPipeline(name: string, options: ServiceOptions): Operation {
    check('the name of a pipeline', name, text);
    const place = `pipeline ${display(name)}`;
    this.names.claim(name, 'a pipeline');
    const settings = settingsOf(checkServiceOptions(place, options));
    const resolved = new StageResolver(this.catalog, name, inOptions(place), [settings]).resolve();
    const operation = this.programmatic(name, resolved);
    const { pipeline } = operation;
    this.pipelines.add(pipeline);
    this.programmatics.set(pipeline, operation);
    const forget = this.loosenOwn(settings, resolved.stages);
    pipeline.onDisposed = () => {
      this.pipelines.delete(pipeline);
      forget();
    };
    return operation;
  }

  /**
   * The breaker and the bulkhead of a pipeline's own live as long as it does.
   *
   * @returns forgets them at once
   */
  private loosenOwn(settings: Settings, { circuitBreaker, bulkhead }: Stages): () => void {
    const { breakers, bulkheads } = this.catalog;
    const breaker = typeof settings.circuitBreaker === 'object' ? circuitBreaker : undefined;
    const own = typeof settings.bulkhead === 'object' ? bulkhead : undefined;
    if (breaker !== undefined) breakers.loosen(breaker);
    if (own !== undefined) bulkheads.loosen(own);
    return () => {
      if (breaker !== undefined) breakers.remove(breaker);
      if (own !== undefined) bulkheads.remove(own);
    };
  }

  private pipeline(
    name: string,
    service: string,
    { stages, upstream, onDiscard }: ResolvedOperation,
  ): Pipeline {
    const labels = {
      service,
      operation: name,
      upstream,
      critical: stages.critical,
      breaker: stages.circuitBreaker?.name,
    };
    const guard = new Guard(`onDiscard of ${name}`);
    return new Pipeline({
      operation: name,
      stages,
      observer: new OperationTelemetry(labels, this.telemetry),
      shutdown: this.shutdown,
      captureStackTrace: this.options.captureStackTrace ?? false,
      trace: this.tracing(labels),
      onDiscard: onDiscard && ((answer) => guard.run(() => onDiscard(answer))),
    });
  }

  /** However a tracer behaves, the call is made once, and is the call. */
  private tracing(labels: OperationLabels): Plan['trace'] {
    const { tracer } = this.options;
    if (tracer === undefined) return undefined;
    const { redaction } = this.telemetry.tracker;
    const describe: TracedOperation['describe'] = (error) => redaction.describe(error);
    const operation: TracedOperation = { ...labels, describe };
    return <T>(call: () => Promise<T>): Promise<T> => {
      let made: Promise<T> | undefined;
      const once = () => {
        made ??= call();
        return made;
      };
      this.tracerGuard.run(() => tracer.trace(operation, once));
      return once();
    };
  }

  /** Runs a decorated method. */
  override dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown {
    if (this.configuration === undefined) {
      this.warnOnce(
        self,
        definition,
        'before the options of ResilienceModule.forRootAsync() were known',
      );
      return original.apply(self, args);
    }
    const prototype: unknown = Object.getPrototypeOf(self);
    const latest = this.latest.get(definition);
    if (latest !== undefined && latest.prototype === prototype)
      return callMethod(latest.operation, latest.work, self, args);
    let operation: MethodOperation | undefined;
    try {
      operation = this.operationOf(self, definition);
    } catch (error) {
      // An object that was not there at boot, of a class that is wrong. Who expects an Observable would
      // not look at a Promise.
      if (definition.functionKind !== 'AsyncFunction') throw error;
      return Promise.reject(error);
    }
    if (operation === undefined) return original.apply(self, args);
    const work = new MethodWork(operation, original);
    this.latest.set(definition, { prototype, operation, work });
    return callMethod(operation, work, self, args);
  }

  /** The application begins to close. */
  beginShutdown(): void {
    this.shutdown.begin(this.options.shutdown?.graceMs ?? DEFAULT_GRACE_MS);
  }

  /** Waits for the calls that are left, within the grace. After that, none keeps the process alive. */
  async endShutdown(): Promise<void> {
    await this.shutdown.nothingLeft();
    for (const { pipeline } of this.operations()) pipeline.plan.stages.timeout?.letProcessEnd();
    this.telemetry.tracker.closeLog();
    this.telemetry.circuitLog.close();
    await this.telemetry.alerts.flush(); // the last ones may be those that matter
  }

  private rejectQueued(): void {
    for (const bulkhead of this.catalog.bulkheads.list()) bulkhead.shutdown();
  }

  private get state(): Configuration {
    if (this.configuration === undefined) {
      throw new ResilienceConfigurationError('ResilienceModule', 'its options are not known yet');
    }
    return this.configuration;
  }

  private planServices({ services }: ResilienceFeatureOptions): void {
    for (const name of Object.keys(services ?? {})) {
      this.names.claim(name, 'a bundle in services');
      const resolved = new StageResolver(this.catalog, name, inOptions(`services.${name}`), [
        { resilience: name },
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

  private methodOperation(plan: MethodPlan): MethodOperation {
    this.warnings.push(...plan.warnings);
    const { name, className, kind, upstream, service, traits } = plan;
    const atEdge = this.options.mapErrors === false ? undefined : traits.atEdge;
    return {
      ...traits,
      atEdge,
      kind,
      upstream,
      pipeline: this.pipeline(name, service ?? className, plan),
    };
  }

  private operationOf(self: object, definition: MethodDefinition): MethodOperation | undefined {
    const type = classOf(self);
    this.plan(type);
    const operation = this.classes.get(type)?.get(definition);
    if (operation !== undefined || !this.coverageOf(type).reaches(definition)) return operation;
    return this.ofOwner(definition);
  }

  /** A method that a derived class has overridden, called by `super`, is an operation of its own class. */
  private ofOwner(definition: MethodDefinition): MethodOperation | undefined {
    const { owner } = definition;
    this.makeOperations(owner, [definition]);
    return this.classes.get(owner)?.get(definition);
  }

  private coverageOf(type: Class): ClassCoverage {
    const coverage = this.coverages.get(type) ?? new ClassCoverage(type);
    this.coverages.set(type, coverage);
    return coverage;
  }

  private makeOperations(
    type: Class,
    definitions: MethodDefinition[],
    module?: string,
  ): MethodOperation[] {
    const operations = this.classes.get(type) ?? new Map<MethodDefinition, MethodOperation>();
    this.classes.set(type, operations);
    const missing = definitions.filter((definition) => !operations.has(definition));
    const claim = (name: string, key: PropertyKey) => this.names.claim(name, { type, key, module });
    const plans = planClass(type, missing, this.coverageOf(type), this.catalog, claim);
    return [...plans].map(([definition, plan]) => {
      const operation = this.methodOperation(plan);
      operations.set(definition, operation);
      return operation;
    });
  }

  override missed(self: object, definition: MethodDefinition): void {
    this.warnOnce(self, definition, 'before its object belonged to an application');
  }

  private warnOnce(self: object, definition: MethodDefinition, when: string): void {
    if (this.early.has(definition)) return;
    this.early.add(definition);
    const name = `${classOf(self).name}.${String(definition.key)}`;
    this.logger.warn(`${name} was called ${when}: that call ran unprotected`);
  }
}

function classOf(instance: object): Class {
  return (Object.getPrototypeOf(instance) as { constructor: Class }).constructor;
}
