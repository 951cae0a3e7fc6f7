import {
  Logger,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { ApplicationConfig, LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { afterLazyLoad } from '../nest/lazy-modules.js';
import { classesOf } from '../nest/modules.js';
import { BootReport } from './boot-report.js';
import { withdrawUnknown } from './policy-providers.js';
import type { ResilienceRuntime } from './runtime.js';

/** Finds the classes of an application, and tells at boot what became of them. */
export class Explorer implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private readonly report = new BootReport(new Logger('ResilienceModule'));

  constructor(
    private readonly runtime: ResilienceRuntime,
    private readonly modules: ModulesContainer,
    private readonly lazyLoader: Pick<LazyModuleLoader, 'load'>,
    private readonly config: ApplicationConfig,
  ) {}

  onModuleInit(): void {
    withdrawUnknown(this.modules);
    this.adoptGlobals();
    this.refresh();
    afterLazyLoad(this.lazyLoader, () => this.refresh());
  }

  onModuleDestroy(): void {
    this.runtime.beginShutdown();
  }

  /** The servers are closed by now: waiting before would have kept them open. */
  async onApplicationShutdown(): Promise<void> {
    await this.runtime.endShutdown();
  }

  private refresh(): void {
    planClasses(this.runtime, this.modules);
    this.runtime.live.booted();
    this.report.tell(this.runtime);
  }

  /** What `app.useGlobalGuards(new …)` and its like were given, Nest has not made. */
  private adoptGlobals(): void {
    const { config, runtime } = this;
    const guards = [...config.getGlobalGuards(), ...config.getGlobalInterceptors()];
    for (const each of [...guards, ...config.getGlobalPipes(), ...config.getGlobalFilters()])
      runtime.methods.adopt(each);
  }
}

/**
 * Makes the operations of every class that Nest knows by now.
 *
 * @throws ResilienceConfigurationError
 */
export function planClasses(runtime: ResilienceRuntime, modules: ModulesContainer): void {
  for (const [type, module, isRequestScoped] of classesOf(modules))
    runtime.classes.plan(type, module, isRequestScoped);
  for (const type of runtime.methods.adopted) runtime.classes.plan(type);
}
