import type { ModulesContainer } from '@nestjs/core';
import type { Bench } from './bench.js';
import { planClasses } from './explorer.js';
import { MethodDispatcher } from './method-dispatcher.js';
import type { ResilienceFeatureOptions, ResilienceModuleOptions } from './module.options.js';
import { ResilienceRuntime } from './runtime.js';
import { substitute } from './substitutes.js';

/**
 * An application with the module, from before its options are known: by then Nest makes objects that are
 * to belong to it, and what a test has put in the place of ours.
 */
export class Application {
  readonly methods = new MethodDispatcher();
  /** By token. */
  private readonly substitutes = new Map<unknown, unknown>();
  /** Once the options are known. */
  runtime: ResilienceRuntime | undefined = undefined;

  /** @param bench where a test has put one around it */
  constructor(private readonly bench?: Bench) {}

  /**
   * Calls use what a test has put in the place of an injectable of the module's.
   *
   * @throws ResilienceConfigurationError where it can do nothing of what calls need
   */
  substitute(token: unknown, given: unknown): void {
    if (this.runtime === undefined) this.substitutes.set(token, given);
    else substitute(token, given, this.runtime);
  }

  /**
   * Sets everything up, once.
   *
   * @param features the options of every `forFeature()` so far
   * @throws ResilienceConfigurationError
   */
  configure(
    options: ResilienceModuleOptions,
    features: readonly ResilienceFeatureOptions[],
    modules: ModulesContainer,
  ): ResilienceRuntime {
    const runtime = new ResilienceRuntime(options, features, this.methods, this.bench);
    this.runtime = runtime;
    planClasses(runtime, modules);
    for (const [token, given] of this.substitutes) substitute(token, given, runtime);
    this.bench?.begin(runtime);
    runtime.begin();
    return runtime;
  }
}
