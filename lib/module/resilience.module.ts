import { type DynamicModule, Inject, Module, Optional, type Provider } from '@nestjs/common';
import { ApplicationConfig, LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { Application } from '../binding/application.js';
import { BENCH, type Bench } from '../binding/bench.js';
import { Explorer } from '../binding/explorer.js';
import type {
  ResilienceFeatureOptions,
  ResilienceModuleOptions,
} from '../binding/module.options.js';
import {
  namedProviders,
  offerPolicies,
  READY,
  requestedProviders,
} from '../binding/policy-providers.js';
import type { ResilienceRuntime } from '../binding/runtime.js';
import { substitutable } from '../binding/substitutes.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { read } from '../common/read.js';
import { RUNTIME } from '../dispatch/runtime-slot.js';
import { edgeProviders } from '../edge/edge-providers.js';
import { ResilienceInterceptor } from '../edge/resilience.interceptor.js';
import { takePartInInjection } from '../nest/injector.js';
import { modulesOf, valueIn } from '../nest/modules.js';
import { watchOverrides } from '../nest/overrides.js';
import type { AnyStage } from '../own-stage/define-stage.js';
import { CHAOS_AT_THE_EDGE, INSIDE, injectables } from './injectables.js';
import {
  OPTIONS,
  optionsProviders,
  type ResilienceModuleAsyncOptions,
} from './module.async-options.js';

const FEATURE = Symbol.for('nestjs-bulwark:feature');
/** Waits for what is known of before a restart, and by the fleet. */
const WARM_START = Symbol.for('nestjs-bulwark:warm-start');
/** The options of `forRoot()`. */
const GIVEN = Symbol.for('nestjs-bulwark:given');

/** What hands the runtime to decorated instances. It is global whatever `isGlobal` says. */
@Module({})
class RuntimeModule {}

/** Policies that a feature module names. */
@Module({})
class ResilienceFeatureModule {}

/** Resilience for an application: imported once, in its root module, by `forRoot` or `forRootAsync`. */
@Module({})
export class ResilienceModule {
  /** @internal */
  constructor(@Optional() @Inject(RUNTIME) runtime: unknown) {
    if (runtime === undefined) {
      throw new ResilienceConfigurationError(
        'ResilienceModule',
        'is imported as it is, and so does nothing; import ResilienceModule.forRoot() or ResilienceModule.forRootAsync(…) in the root module',
      );
    }
  }

  /**
   * Makes decorators act, by options that are known now; without any, decorators carry everything inline.
   *
   * @throws ResilienceConfigurationError when the application boots, where options are wrong: it names each place
   *
   * @example
   * ResilienceModule.forRoot({
   *   defaults: { timeoutMs: 2_000 },
   *   breakers: { payments: { failureThreshold: 5 } },
   * });
   */
  static forRoot<const Stages extends readonly AnyStage[] = []>(
    options: ResilienceModuleOptions<Stages> = {} as ResilienceModuleOptions<Stages>,
  ): DynamicModule {
    const given: Provider = { provide: GIVEN, useValue: options };
    const ready: Provider = {
      provide: READY,
      inject: [ModulesContainer],
      useFactory: (modules: ModulesContainer) => applicationIn(modules)?.runtime,
    };
    return rootModule([given, ready], options);
  }

  /**
   * Makes decorators act, by options that other providers are needed for.
   *
   * @throws ResilienceConfigurationError when the application boots, where options are wrong: it names each place
   *
   * @example
   * ResilienceModule.forRootAsync({
   *   useFactory: async () => ({ defaults: { timeoutMs: Number(process.env['TIMEOUT_MS'] ?? 2_000) } }),
   * });
   */
  static forRootAsync<const Stages extends readonly AnyStage[] = []>(
    options: ResilienceModuleAsyncOptions<Stages>,
  ): DynamicModule {
    const ready: Provider = {
      provide: READY,
      inject: [OPTIONS, ModulesContainer],
      useFactory: (given: ResilienceModuleOptions, modules: ModulesContainer) =>
        configured(applicationIn(modules) as Application, given, modules),
    };
    return rootModule(
      [...optionsProviders(options as ResilienceModuleAsyncOptions), ready],
      options,
      read(options, 'imports'),
    );
  }

  /**
   * Adds named policies, options and bundles, next to the feature that uses them.
   *
   * @throws ResilienceConfigurationError when the application boots, where options are wrong or a name is taken
   *
   * @example
   * ResilienceModule.forFeature({ breakers: { payments: { failureThreshold: 5 } } });
   */
  static forFeature<const Stages extends readonly AnyStage[] = []>(
    options: ResilienceFeatureOptions<Stages>,
  ): DynamicModule {
    const feature: Provider = { provide: FEATURE, useValue: options };
    const source = Symbol('ResilienceFeature');
    const registered: Provider = {
      provide: source,
      inject: [{ token: READY, optional: true }, ModulesContainer],
      useFactory: (runtime: ResilienceRuntime | undefined, modules: ModulesContainer) =>
        register(options, runtime, modules),
    };
    const policies = () => namedProviders(options, source);
    return {
      module: ResilienceFeatureModule,
      // Read when Nest scans the module: by then every class that has a policy injected is known.
      get providers(): Provider[] {
        return [feature, registered, ...policies()];
      },
      get exports() {
        return policies();
      },
    };
  }
}

function rootModule(
  runtimeProviders: Provider[],
  options: unknown,
  imports?: unknown,
): DynamicModule {
  takePartInInjection((modules) => applicationIn(modules)?.methods);
  // No dependency but the container: a decorated service among them would get no runtime.
  const runtime: Provider = {
    provide: RUNTIME,
    inject: [ModulesContainer],
    useFactory: (modules: ModulesContainer) => applicationIn(modules)?.methods,
  };
  // All providers are there before any hook of the application runs: by then it knows what is known already.
  const warmStart: Provider = {
    provide: WARM_START,
    inject: [READY],
    useFactory: (ready: ResilienceRuntime) => ready.warmUp(),
  };
  const explorer: Provider = {
    provide: Explorer,
    inject: [READY, ModulesContainer, LazyModuleLoader, ApplicationConfig],
    useFactory: (...args: ConstructorParameters<typeof Explorer>) => new Explorer(...args),
  };
  const runtimeModule: DynamicModule = {
    module: RuntimeModule,
    global: true,
    imports: Array.isArray(imports) ? imports : [],
    providers: [runtime, ...runtimeProviders, warmStart, explorer],
    exports: [RUNTIME, READY],
  };
  const own = injectables();
  const policies = () => [...namedProviders(options), ...requestedProviders()];
  return {
    module: ResilienceModule,
    global: read(options, 'isGlobal') !== false,
    imports: [runtimeModule],
    // Read when Nest scans the module: by then every class that has a policy injected is known.
    get providers(): Provider[] {
      return [...own, ...policies(), CHAOS_AT_THE_EDGE, ...edgeProviders(READY, INSIDE)];
    },
    get exports() {
      return [...own, ...policies(), ResilienceInterceptor];
    },
  };
}

const applications = new WeakMap<ModulesContainer, Application>();

/**
 * What has the modules; made when it is first asked for, which is before any provider is. What
 * `forRoot()` was given is known then already, what `forRootAsync()` makes is not.
 */
function applicationIn(modules: ModulesContainer): Application | undefined {
  const existing = applications.get(modules);
  if (existing !== undefined) return existing;
  const roots = modulesOf(modules, RuntimeModule);
  const [root] = roots;
  if (root === undefined) return undefined;
  if (roots.length > 1) {
    throw new ResilienceConfigurationError(
      'ResilienceModule',
      `is registered ${roots.length} times by forRoot() or forRootAsync(); allowed: once, in the root module (forFeature() adds policies elsewhere)`,
    );
  }
  const application = new Application(benchIn(modules));
  const tokens = substitutable();
  // Before the options, of which the policies are made that these stand for.
  for (const module of modulesOf(modules, ResilienceModule, ResilienceFeatureModule))
    watchOverrides(module, tokens, (token, override) => application.substitute(token, override));
  const given = valueIn<ResilienceModuleOptions>(root, GIVEN);
  if (given !== undefined) configured(application, given, modules);
  applications.set(modules, application);
  return application;
}

function benchIn(modules: ModulesContainer): Bench | undefined {
  const benches = [...modules.values()].flatMap((module) => valueIn<Bench>(module, BENCH) ?? []);
  if (benches.length <= 1) return benches[0];
  throw new ResilienceConfigurationError(
    'ResilienceTestingModule',
    `is imported ${benches.length} times; allowed: once in an application`,
  );
}

function configured(
  application: Application,
  options: ResilienceModuleOptions,
  modules: ModulesContainer,
): ResilienceRuntime {
  const features = modulesOf(modules, ResilienceFeatureModule).map(
    (module) => valueIn<ResilienceFeatureOptions>(module, FEATURE) as ResilienceFeatureOptions,
  );
  const runtime = application.configure(options, features, modules);
  offerPolicies(runtime, modulesOf(modules, ResilienceModule));
  return runtime;
}

function register(
  options: ResilienceFeatureOptions,
  runtime: ResilienceRuntime | undefined,
  modules: ModulesContainer,
): ResilienceRuntime {
  if (runtime === undefined) {
    throw new ResilienceConfigurationError(
      'ResilienceModule.forFeature()',
      'there is no ResilienceModule.forRoot() in this application; import it in the root module',
    );
  }
  runtime.addFeature(options);
  offerPolicies(runtime, modulesOf(modules, ResilienceModule));
  return runtime;
}
