import type { ModulesContainer } from '@nestjs/core';
import type { Class } from '../common/class.js';

export type Module = ReturnType<ModulesContainer['get']> & object;

/** What Nest keeps of a provider, a controller, an enhancer or a middleware. */
export type Wrapper = Module['providers'] extends Map<unknown, infer W> ? W : never;

export function* wrappersOf(module: Module): Generator<Wrapper> {
  yield* module.providers.values();
  yield* module.controllers.values();
  yield* module.injectables.values();
  yield* module.middlewares.values() as Iterable<Wrapper>;
}

/** The modules of an application that are of these classes: a dynamic one may be there several times. */
export function modulesOf(modules: ModulesContainer, ...types: Class[]): Module[] {
  return [...modules.values()].filter(({ metatype }) => types.includes(metatype as Class));
}

/** What a module provides as a value. */
export function valueIn<T>(module: Module, token: symbol): T | undefined {
  return module.providers.get(token)?.instance as T | undefined;
}

/**
 * Every class that an application's modules know by now, each with the name of the module that provides it,
 * and whether its objects are made for one request each: what it is injected with may be.
 */
export function* classesOf(
  modules: ModulesContainer,
): Generator<[type: Class, module: string, isRequestScoped: boolean]> {
  for (const module of modules.values())
    for (const wrapper of wrappersOf(module)) {
      const { metatype, isNotMetatype } = wrapper;
      if (!isNotMetatype && typeof metatype === 'function' && metatype.prototype)
        yield [metatype as unknown as Class, module.name, !wrapper.isDependencyTreeStatic()];
    }
}
