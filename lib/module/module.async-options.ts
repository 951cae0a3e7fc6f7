import type {
  DynamicModule,
  InjectionToken,
  OptionalFactoryDependency,
  Provider,
  Type,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import type {
  ResilienceModuleOptions,
  ResilienceOptionsFactory,
} from '../binding/module.options.js';
import { isClass } from '../common/answers.js';
import { display, ResilienceConfigurationError } from '../common/configuration.error.js';
import { anyFunction, boolean } from '../common/option-rules.js';
import { checkOptions, isObject, type Rule, type Rules } from '../common/options.js';
import { read } from '../common/read.js';
import type { ResilienceOverrides } from '../overrides/overrides.js';
import type { AnyStage } from '../own-stage/define-stage.js';

/** Injects the options of `forRootAsync()`. */
export const OPTIONS = Symbol('ResilienceModuleOptions');

/** How `forRootAsync` gets its options: by exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface ResilienceModuleAsyncOptions<Stages extends readonly AnyStage[] = []> {
  /** Modules whose providers are injected. */
  imports?: DynamicModule['imports'];
  /** What is injected into `useFactory`. */
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  /** Makes the options, of what is injected. */
  useFactory?: (
    // biome-ignore lint/suspicious/noExplicitAny: what is injected is for the user to know
    ...args: any[]
  ) => ResilienceModuleOptions<Stages> | Promise<ResilienceModuleOptions<Stages>>;
  /** A class that makes the options, of which Nest makes an instance. */
  useClass?: Type<ResilienceOptionsFactory<Stages>>;
  /** The token of a provider that makes the options. */
  useExisting?: InjectionToken;
  /** Overrides that change while the application runs; see `changes` of `forRoot()`. */
  changes?: Observable<ResilienceOverrides<Stages>>;
  /** Whether the injectables are visible to every module. @default true */
  isGlobal?: boolean;
}

const isArray: Rule = (value) => (Array.isArray(value) ? undefined : 'an array');

const ASYNC_RULES: Rules<ResilienceModuleAsyncOptions> = {
  imports: isArray,
  inject: isArray,
  useFactory: (value, place) =>
    isClass(value) ? 'a function; a class goes to useClass' : anyFunction(value, place),
  useClass: (value) => (typeof value === 'function' ? undefined : 'a class'),
  useExisting: (value) => (value === null ? 'an injection token' : undefined),
  isGlobal: boolean,
  changes: () => undefined, // checked with what the factory returns
};

/** Wrong options fail the boot, like those of `forRoot`, and not the `import` of the module's file. */
export function optionsProviders(options: ResilienceModuleAsyncOptions): Provider[] {
  try {
    return checkedOptionsProviders(options);
  } catch (error) {
    const fail = () => {
      throw error;
    };
    return [{ provide: OPTIONS, useFactory: fail }];
  }
}

function checkedOptionsProviders(options: ResilienceModuleAsyncOptions): Provider[] {
  const place = 'ResilienceModule.forRootAsync()';
  const { inject, useFactory, useClass, useExisting, changes } =
    checkOptions<ResilienceModuleAsyncOptions>(place, options, ASYNC_RULES);
  const given = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  if (given.length !== 1) {
    throw new ResilienceConfigurationError(
      place,
      `is given ${given.length} of useFactory, useClass and useExisting; allowed: exactly one`,
    );
  }
  if (useFactory !== undefined) {
    const make = async (...injected: unknown[]) => made(await useFactory(...injected), changes);
    return [{ provide: OPTIONS, inject: inject ?? [], useFactory: make }];
  }
  const factory = (useClass ?? useExisting) as InjectionToken;
  const provided: Provider = {
    provide: OPTIONS,
    inject: [factory],
    useFactory: async (it: ResilienceOptionsFactory) =>
      made(await checkedFactory(place, it).createResilienceOptions(), changes),
  };
  return useClass === undefined ? [provided] : [useClass, provided];
}

function checkedFactory(
  place: string,
  factory: ResilienceOptionsFactory,
): ResilienceOptionsFactory {
  if (typeof read(factory, 'createResilienceOptions') === 'function') return factory;
  throw new ResilienceConfigurationError(
    place,
    `gets ${display(factory)}, which has no createResilienceOptions(); allowed: a class with that method`,
  );
}

/** What a factory has made, with the changes that were said beside it. */
function made(
  given: ResilienceModuleOptions,
  changes: ResilienceModuleAsyncOptions['changes'],
): ResilienceModuleOptions {
  const options = withoutIsGlobal(given);
  if (changes === undefined || !isObject(options)) return options;
  if (read(options, 'changes') === undefined)
    return Object.create(Object.getPrototypeOf(options) as object, {
      ...Object.getOwnPropertyDescriptors(options), // which are read where they are checked
      changes: { value: changes, enumerable: true },
    }) as ResilienceModuleOptions;
  throw new ResilienceConfigurationError(
    'changes',
    'is in what the factory returns, and in forRootAsync() too; allowed: in one of them',
  );
}

/** Nest has to know that before it makes anything. */
function withoutIsGlobal(options: ResilienceModuleOptions): ResilienceModuleOptions {
  const isGlobal = read(options, 'isGlobal');
  if (isGlobal === undefined) return options;
  throw new ResilienceConfigurationError(
    'isGlobal',
    `is ${display(isGlobal)} in what the factory returns, which is too late; allowed: in forRootAsync() itself`,
  );
}
