import type { Unsubscribable } from 'rxjs';
import type { Chaos } from '../chaos/chaos.js';
import type { Class } from '../common/class.js';
import { VERSION } from '../common/version.js';
import { FleetView } from '../fleet/fleet-view.js';
import { policiesOf } from '../fleet/instance-snapshot.js';
import type { Membership } from '../fleet/membership.js';
import type { Shedding } from '../shedding/shedding.js';
import { Shutdown } from '../shutdown/shutdown.js';
import type { Memory } from '../state/memory.js';
import { ClassOperations } from './class-operations.js';
import { type Configuration, configurationOf, type TestSetup } from './configuration.js';
import { MethodDispatcher } from './method-dispatcher.js';
import {
  checkFeatureOptions,
  type ResilienceFeatureOptions,
  type ResilienceModuleOptions,
} from './module.options.js';
import type { Operation } from './operation.js';
import { PipelineFactory } from './pipeline-factory.js';
import type { PolicyCatalog } from './policy-catalog.js';
import { ProgrammaticOperations } from './programmatic-operations.js';

const DEFAULT_GRACE_MS = 5_000;

/**
 * One application's resilience, by its options: its policies, its operations, and what they report to.
 * Everything that has state is in here, so that two applications in a process share nothing.
 */
export class ResilienceRuntime implements Configuration {
  readonly options: ResilienceModuleOptions;
  readonly telemetry: Configuration['telemetry'];
  readonly catalog: PolicyCatalog;
  readonly chaos: Chaos;
  readonly live: Configuration['live'];
  readonly shedding: Shedding;
  readonly fleet: Membership | undefined;
  readonly fleetView: FleetView | undefined;
  readonly memory: Memory | undefined;
  readonly testSetup: TestSetup | undefined;
  /** The operations of decorated methods. */
  readonly classes: ClassOperations;
  /** Those that no decorator is on. */
  readonly programmatic: ProgrammaticOperations;
  private readonly shutdown = new Shutdown(() => this.catalog.shutdown());
  private changes: Unsubscribable | undefined = undefined;
  private readonly features: Set<ResilienceFeatureOptions>;

  /**
   * @param features the options of every `forFeature()` so far
   * @param methods runs the decorated methods
   * @param testSetup where it is under test
   * @throws ResilienceConfigurationError
   */
  constructor(
    given: ResilienceModuleOptions,
    features: readonly ResilienceFeatureOptions[] = [],
    readonly methods = new MethodDispatcher(),
    testSetup?: TestSetup,
  ) {
    const configuration = configurationOf(given, this.shutdown, () => this.operations(), testSetup);
    const { options, telemetry, catalog, chaos, live, shedding, fleet, memory } = configuration;
    this.options = options;
    this.telemetry = telemetry;
    this.catalog = catalog;
    this.chaos = chaos;
    this.live = live;
    this.shedding = shedding;
    this.fleet = fleet;
    this.memory = memory;
    this.testSetup = testSetup;
    this.fleetView =
      fleet &&
      new FleetView(fleet, () => ({
        library: VERSION,
        chaos: chaos.isOn,
        policies: policiesOf(catalog.instances()),
      }));
    const factory = new PipelineFactory(configuration, this.shutdown);
    this.programmatic = new ProgrammaticOperations(catalog, factory);
    this.classes = new ClassOperations(configuration, factory, this.programmatic.names);
    this.features = new Set(features);
    this.name(options, ...features.map((each) => checkFeatureOptions(each, catalog.stages)));
    methods.begin(this.classes);
  }

  /** Takes in the options of a `forFeature()`; again is no harm. */
  addFeature(options: ResilienceFeatureOptions): void {
    if (this.features.has(options)) return;
    const checked = checkFeatureOptions(options, this.catalog.stages);
    this.features.add(options);
    this.name(checked);
    this.live.settle();
  }

  /** Takes in what options name; a bundle may refer to what another module names. */
  private name(...all: readonly ResilienceFeatureOptions[]): void {
    for (const each of all) this.catalog.add(each);
    for (const each of all) this.catalog.checkNames(each);
    for (const each of all) this.programmatic.addServices(each);
  }

  /** All operations are made that there are before anybody waits for them: `changes` may say something of them. */
  begin(): void {
    this.live.settle();
    this.changes = this.live.follow(this.options.changes);
  }

  /** All operations: those of the classes, and those made programmatically. */
  operations(): Operation[] {
    return [...this.classes.list(), ...this.programmatic.list()];
  }

  /** What `@Critical()` says of a method as it is in a class; `undefined` where nothing says so. */
  criticalityOf(type: Class, method: unknown): boolean | undefined {
    return this.classes.criticalityOf(type, method);
  }

  /** Waits for what was known before a restart, and then for what the fleet knows, which is newer. */
  async warmUp(): Promise<void> {
    await this.memory?.load();
    this.catalog.recall();
    this.memory?.begin(() => this.catalog.learnt());
    await this.fleet?.begin();
  }

  /** The application begins to close. */
  beginShutdown(): void {
    this.changes?.unsubscribe();
    this.shutdown.begin(this.options.shutdown?.graceMs ?? DEFAULT_GRACE_MS);
  }

  /** Waits for the calls that are left, within the grace. After that, none keeps the process alive. */
  async endShutdown(): Promise<void> {
    await this.shutdown.nothingLeft();
    await Promise.all([this.memory?.end(), this.fleet?.end()]);
    this.methods.end();
    this.catalog.ended();
    for (const { pipeline } of this.operations())
      for (const { name, ended } of this.catalog.stages) {
        const policy = pipeline.plan.stages[name];
        if (policy !== undefined) ended?.(policy);
      }
    this.shedding.end();
    this.telemetry.sheddingLog.close();
    this.live.ended();
    this.telemetry.tracker.closeLog();
    this.telemetry.circuitLog.close();
    await this.telemetry.alerts.flush(); // the last ones may be those that matter
  }
}
