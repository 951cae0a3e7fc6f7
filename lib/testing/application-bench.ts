import {
  type Bench,
  type Class,
  type PipelineObserver,
  type ResilienceRuntime,
  runtimeOf,
} from '../bench.js';
import { ResilienceConfigurationError, type ResilienceModuleOptions } from '../index.js';
import { CallRecords } from './call-records.js';
import { overridesOf, TESTING_MODES, type TestingMode } from './modes.js';

/** An object of an application's, or its class. */
export type Callee = object | Class;

/** No test wants to read logs, to ring alerts, or to wait for calls that it leaves behind. */
const QUIET: ResilienceModuleOptions = {
  alerts: [],
  bootLog: 'none',
  shutdown: { graceMs: 0 },
};

/** By what runs the methods of their applications. */
const benches = new WeakMap<object, ApplicationBench>();
let latest: ApplicationBench | undefined;

/** One application in a test. */
export class ApplicationBench implements Bench {
  readonly calls = new CallRecords();
  private application: ResilienceRuntime | undefined = undefined;
  private modeInForce: TestingMode;

  /** @param options above those of the application */
  constructor(
    private readonly options: ResilienceModuleOptions,
    mode: TestingMode,
  ) {
    this.modeInForce = mode;
  }

  optionsOf(given: ResilienceModuleOptions): ResilienceModuleOptions {
    const options = { ...given, ...QUIET, ...this.options };
    const errorTracker = { ...given.errorTracker, log: false, ...this.options.errorTracker };
    return { ...options, errorTracker, tracer: this.calls.tracer(options.tracer) };
  }

  observerOf(operation: string, observer: PipelineObserver): PipelineObserver {
    return this.calls.observer(operation, observer);
  }

  begin(runtime: ResilienceRuntime): void {
    this.application = runtime;
    benches.set(runtime.methods, this);
    latest = this;
    runtime.telemetry.events.events$?.subscribe((event) => this.calls.happened(event));
    if (this.modeInForce !== 'enforce') this.switchTo(this.modeInForce);
  }

  get mode(): TestingMode {
    return this.modeInForce;
  }

  /** @throws ResilienceConfigurationError */
  switchTo(mode: TestingMode): void {
    if (!TESTING_MODES.includes(mode))
      throw new ResilienceConfigurationError(
        'ResilienceTestingModule.forRoot().mode',
        `is ${String(mode)}; allowed: ${TESTING_MODES.join(', ')}`,
      );
    this.runtime.live.test(mode, overridesOf(mode, this.runtime.catalog.stages));
    this.modeInForce = mode;
  }

  get runtime(): ResilienceRuntime {
    if (this.application !== undefined) return this.application;
    throw new ResilienceConfigurationError(
      'ResilienceTestingModule',
      'stands in an application that has no ResilienceModule; allowed: forRoot(), which has one, or an application that imports ResilienceModule.forRoot()',
    );
  }

  /** @throws ResilienceConfigurationError where nothing is called so: a mistyped name has no calls either */
  checkOperation(name: string, place: string): void {
    const known = this.runtime.operations().map(({ pipeline }) => pipeline.plan.operation);
    if (known.includes(name) || this.calls.of(name).length > 0) return;
    throw new ResilienceConfigurationError(
      place,
      `is given ${JSON.stringify(name)}, and nothing is called so; known: ${known.join(', ') || 'none'}; a bundle that nobody has registered is there from its first call`,
    );
  }

  /** @throws ResilienceConfigurationError where the method is not decorated */
  operationOf(of: Callee, method: string, place: string): string {
    const type = typeof of === 'function' ? (of as Class) : (classOf(of) as Class);
    const operation = this.runtime.classes.named(type, method);
    if (operation !== undefined) return operation.pipeline.plan.operation;
    throw new ResilienceConfigurationError(
      place,
      `${type.name}.${method} has no decorator of the library; allowed: a method that has one`,
    );
  }
}

/**
 * The bench of the application that something belongs to.
 *
 * @throws ResilienceConfigurationError where there is none
 */
export function benchOf(of: Callee | string, place: string): ApplicationBench {
  if (!['object', 'function', 'string'].includes(typeof of) || of === null)
    throw new ResilienceConfigurationError(
      place,
      `is given ${String(of)}; allowed: an object of the application, its class, or the name of a bundle or a pipeline`,
    );
  const isObject = typeof of === 'object';
  const runtime = isObject ? runtimeOf(of) : undefined;
  const bench = isObject ? runtime && benches.get(runtime) : latest;
  if (bench !== undefined) return bench;
  throw new ResilienceConfigurationError(
    place,
    isObject
      ? `the ${classOf(of)?.name ?? 'object'} belongs to no application with ResilienceTestingModule; allowed: an object that Nest has made in one, and no stand-in`
      : 'there is no application with ResilienceTestingModule; import it by forRoot(), or beside the root module by forApplication()',
  );
}

/** `undefined` of an object without a prototype. */
function classOf(object: object): Class | undefined {
  return object.constructor as Class | undefined;
}
