import { Logger } from '@nestjs/common';
import type { AnyMethod, Class } from '../common/class.js';
import type { MethodDefinition } from '../dispatch/method-definition.js';
import { DispatchingRuntime, fillSlot } from '../dispatch/runtime-slot.js';
import {
  checkFeatureOptions,
  type ResilienceFeatureOptions,
  type ResilienceModuleOptions,
} from '../resilience-module.options.js';
import type { ServiceOptions } from '../service/service.options.js';
import { Shutdown } from '../shutdown/shutdown.js';
import type { CoverageReport } from './class-coverage.js';
import { ClassOperations } from './class-operations.js';
import { type Configuration, configurationOf } from './configuration.js';
import { callMethod, MethodWork } from './method-call.js';
import type { MethodOperation } from './method-planner.js';
import type { Operation } from './operation.js';
import { PipelineFactory } from './pipeline-factory.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { ProgrammaticOperations } from './programmatic-operations.js';
import { substitute } from './substitutes.js';

const DEFAULT_GRACE_MS = 5_000;

/** What there is once the options are known. */
interface Configured {
  readonly configuration: Configuration;
  readonly classes: ClassOperations;
  readonly programmatic: ProgrammaticOperations;
}

/** The operation of a method that was called last, which is mostly the next one too. */
interface LatestOperation {
  readonly runtime: ResilienceRuntime;
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
  private readonly shutdown = new Shutdown(() => this.catalog.shutdown());
  private readonly logger = new Logger('ResilienceModule');
  private configured: Configured | undefined = undefined;
  private readonly features = new Set<ResilienceFeatureOptions>();
  /** By token, until the options are known. */
  private readonly substitutes = new Map<unknown, unknown>();
  /** The classes of what was taken in, whose operations are made when all features are known. */
  private readonly adopted = new Set<Class>();
  private readonly early = new Set<MethodDefinition>();
  private readonly latest = new Map<MethodDefinition, LatestOperation>();

  /**
   * Sets everything up, once.
   *
   * @param features the options of every `forFeature()` so far
   * @throws ResilienceConfigurationError
   */
  configure(given: ResilienceModuleOptions, features: readonly ResilienceFeatureOptions[]): void {
    const configuration = configurationOf(given, this.shutdown);
    const factory = new PipelineFactory(configuration, this.shutdown);
    const programmatic = new ProgrammaticOperations(configuration.catalog, factory);
    const classes = new ClassOperations(configuration, factory, programmatic.names);
    this.configured = { configuration, classes, programmatic };
    for (const feature of features) this.features.add(feature);
    const all = [
      configuration.options,
      ...features.map((feature) => checkFeatureOptions(feature, this.catalog.stages)),
    ];
    for (const each of all) this.catalog.add(each);
    for (const each of all) this.catalog.checkNames(each);
    for (const each of all) programmatic.addServices(each); // a bundle may refer to what another module names
  }

  /** Takes in the options of a `forFeature()`; again is no harm. */
  addFeature(options: ResilienceFeatureOptions): void {
    if (this.features.has(options)) return;
    const checked = checkFeatureOptions(options, this.catalog.stages);
    this.features.add(options);
    this.catalog.add(checked);
    this.catalog.checkNames(checked);
    this.state.programmatic.addServices(checked);
  }

  /**
   * Calls use what a test has put in the place of an injectable of the module's.
   *
   * @throws ResilienceConfigurationError where it can do nothing of what calls need
   */
  substitute(token: unknown, given: unknown): void {
    if (this.configured === undefined) this.substitutes.set(token, given);
    else substitute(token, given, this.configured.configuration);
  }

  /** The same for what was there before the policies. */
  applySubstitutes(): void {
    for (const [token, given] of this.substitutes) this.substitute(token, given);
  }

  get options(): ResilienceModuleOptions {
    return this.state.configuration.options;
  }

  get telemetry(): Configuration['telemetry'] {
    return this.state.configuration.telemetry;
  }

  get catalog(): PolicyCatalog {
    return this.state.configuration.catalog;
  }

  /** What the user should know of classes, though it is no error. */
  get warnings(): string[] {
    return this.state.classes.warnings;
  }

  get coverageReports(): CoverageReport[] {
    return this.state.classes.coverageReports;
  }

  /** All operations: those of the classes, and those made programmatically. */
  operations(): Operation[] {
    const { classes, programmatic } = this.state;
    return [...classes.list(), ...programmatic.list()];
  }

  /**
   * The operation of a bundle in `services`.
   *
   * @throws ResilienceConfigurationError on an unknown name
   */
  service(name: string): Operation {
    return this.state.programmatic.service(name);
  }

  /**
   * Makes an operation of options that are given in code.
   *
   * @throws ResilienceConfigurationError
   */
  addPipeline(name: string, options: ServiceOptions): Operation {
    return this.state.programmatic.addPipeline(name, options);
  }

  /**
   * Makes the operations of a class, if they are not made yet.
   *
   * @param module the name of the one that provides it, if that is known
   * @returns the new ones
   * @throws ResilienceConfigurationError
   */
  plan(type: Class, module?: string): MethodOperation[] {
    return this.state.classes.plan(type, module);
  }

  /** Takes in an object that Nest did not construct, where its class has decorated methods. */
  override adopt(instance: unknown): void {
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
  }

  /** Runs a decorated method. */
  override dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown {
    const { configured } = this;
    if (configured === undefined) {
      this.warnOnce(
        self,
        definition,
        'before the options of ResilienceModule.forRootAsync() were known',
      );
      return original.apply(self, args);
    }
    const prototype: unknown = Object.getPrototypeOf(self);
    // Where only one application calls it, it is found without being looked for.
    const last = definition.latest as LatestOperation | undefined;
    const latest = last?.runtime === this ? last : this.latest.get(definition);
    if (latest !== undefined && latest.prototype === prototype) {
      definition.latest = latest;
      return callMethod(latest.operation, latest.work, self, args);
    }
    let operation: MethodOperation | undefined;
    try {
      operation = configured.classes.find(classOf(self), definition);
    } catch (error) {
      // An object that was not there at boot, of a class that is wrong. Who expects an Observable would
      // not look at a Promise.
      if (definition.functionKind !== 'AsyncFunction') throw error;
      return Promise.reject(error);
    }
    if (operation === undefined) return original.apply(self, args);
    const work = new MethodWork(operation, original);
    const next: LatestOperation = { runtime: this, prototype, operation, work };
    definition.latest = next;
    this.latest.set(definition, next);
    return callMethod(operation, work, self, args);
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

  /** The application begins to close. */
  beginShutdown(): void {
    this.shutdown.begin(this.options.shutdown?.graceMs ?? DEFAULT_GRACE_MS);
  }

  /** Waits for the calls that are left, within the grace. After that, none keeps the process alive. */
  async endShutdown(): Promise<void> {
    await this.shutdown.nothingLeft();
    for (const [definition, latest] of this.latest)
      if (definition.latest === latest) definition.latest = undefined; // classes outlive applications
    this.catalog.ended();
    for (const { pipeline } of this.operations())
      for (const { name, ended } of this.catalog.stages) {
        const policy = pipeline.plan.stages[name];
        if (policy !== undefined) ended?.(policy);
      }
    this.telemetry.tracker.closeLog();
    this.telemetry.circuitLog.close();
    await this.telemetry.alerts.flush(); // the last ones may be those that matter
  }

  /** For what is injected when the options are known; only calls can come before. */
  private get state(): Configured {
    return this.configured as Configured;
  }
}

function classOf(instance: object): Class {
  return (Object.getPrototypeOf(instance) as { constructor: Class }).constructor;
}
