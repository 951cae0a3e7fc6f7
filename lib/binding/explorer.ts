import {
  Logger,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { type Class, definitionsOf } from '../dispatch/method-definition.js';
import { fillSlot } from '../dispatch/runtime-slot.js';
import { reachesNothing } from './method-planner.js';
import { type Operation, summarize } from './operation.js';
import { withdrawUnknown } from './policy-providers.js';
import type { ResilienceRuntime } from './runtime.js';

type Wrapper =
  ReturnType<ModulesContainer['get']> extends infer M | undefined
    ? M extends { providers: Map<unknown, infer W> }
      ? W
      : never
    : never;

/** Finds the classes of an application, and the objects that Nest did not construct. */
export class Explorer implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger('ResilienceModule');
  private readonly bound = new WeakSet<Wrapper>();
  private readonly warned = new WeakSet<Class>();
  private reported = 0;

  constructor(
    private readonly runtime: ResilienceRuntime,
    private readonly modules: ModulesContainer,
    private readonly lazyLoader: Pick<LazyModuleLoader, 'load'>,
  ) {}

  onModuleInit(): void {
    withdrawUnknown(this.modules);
    this.refresh();
    const { lazyLoader } = this;
    const load = lazyLoader.load.bind(lazyLoader);
    lazyLoader.load = async (...args: Parameters<LazyModuleLoader['load']>) => {
      const loaded = await load(...args);
      this.refresh();
      return loaded;
    };
  }

  onModuleDestroy(): void {
    this.runtime.close();
  }

  /** The last alerts may be those that matter. */
  async onApplicationShutdown(): Promise<void> {
    await this.runtime.telemetry.alerts.flush();
  }

  private refresh(): void {
    planClasses(this.runtime, this.modules);
    for (const wrapper of wrappersOf(this.modules)) this.bind(wrapper);
    this.report();
  }

  /** The objects of factories and values get their runtime here: no constructor of Nest's gave it to them. */
  private bind(wrapper: Wrapper): void {
    if (wrapper.isAlias || !wrapper.isNotMetatype || this.bound.has(wrapper)) return;
    this.bound.add(wrapper);
    if (!wrapper.isTransient && wrapper.isDependencyTreeStatic()) {
      this.fill(wrapper.instance);
      return;
    }
    for (const made of wrapper.getStaticTransientInstances()) this.fill(made?.instance);
    // A factory that runs again for each request or consumer: its results are bound as they come.
    const make = wrapper.metatype as unknown as (...args: unknown[]) => unknown;
    if (typeof make !== 'function') return;
    const fill = (made: unknown) => this.fill(made);
    wrapper.metatype = ((...args: unknown[]) => {
      const made = make(...args);
      return made instanceof Promise ? made.then(fill) : fill(made);
    }) as unknown as typeof wrapper.metatype;
  }

  private fill<T>(made: T): T {
    try {
      if (fillSlot(made, this.runtime))
        this.runtime.plan((made as { constructor: Class }).constructor);
    } catch (error) {
      if ((error as Error).name === 'ResilienceConfigurationError') throw error;
      // A proxy that does not want to be looked at has nothing of ours.
    }
    return made;
  }

  private report(): void {
    const operations: Operation[] = this.runtime.operations();
    for (const operation of operations.slice(this.reported)) this.logger.log(summarize(operation));
    this.reported = operations.length;
    for (const warning of this.runtime.warnings.splice(0)) this.logger.warn(warning);
    for (const [type] of classesOf(this.modules)) {
      if (this.warned.has(type) || !reachesNothing(type)) continue;
      this.warned.add(type);
      this.logger.warn(
        `${type.name}: its resilience decorators reach no method: it has no handler, and no async method`,
      );
    }
  }
}

/**
 * Makes the operations of every class that Nest knows by now.
 *
 * @throws ResilienceConfigurationError
 */
export function planClasses(runtime: ResilienceRuntime, modules: ModulesContainer): void {
  for (const [type, module] of classesOf(modules))
    if (definitionsOf(type).length > 0) runtime.plan(type, module);
}

/** Each with the name of the module that provides it. */
function* classesOf(modules: ModulesContainer): Generator<[Class, string | undefined]> {
  for (const { metatype, isNotMetatype, host } of wrappersOf(modules)) {
    if (!isNotMetatype && typeof metatype === 'function' && metatype.prototype)
      yield [metatype as unknown as Class, host?.name];
  }
}

function* wrappersOf(modules: ModulesContainer): Generator<Wrapper> {
  for (const module of modules.values()) {
    yield* module.providers.values() as Iterable<Wrapper>;
    yield* module.controllers.values() as Iterable<Wrapper>;
    yield* module.injectables.values() as Iterable<Wrapper>;
    yield* module.middlewares.values() as Iterable<Wrapper>;
  }
}
