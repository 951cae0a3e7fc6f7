import { ModuleRef, type ModulesContainer } from '@nestjs/core';
import type { AnyMethod, Class } from '../common/class.js';
import { type Module, type Wrapper, wrappersOf } from './modules.js';

/** An application that wants the objects which its injector makes. */
export interface Application {
  /** Whether objects of a class are to belong to it. */
  wants(type: Class): boolean;
  /** Makes one in the place of Nest. */
  construct(type: Class, args: unknown[]): object;
  /** Until the result is called, Nest makes one by itself. */
  expect(type: Class): () => void;
  /** Takes in an object that no constructor call of Nest's made: a factory's result, a value. */
  adopt(instance: unknown): void;
}

type FindApplication = (modules: ModulesContainer) => Application | undefined;

/** What the injector knows of a provider's module. */
interface Host {
  container?: { getModules(): ModulesContainer };
}

/** As it is in Nest 11.0 to 12: what comes after the wrappers differs, and is passed on. */
interface Injector {
  loadInstance(
    wrapper: Wrapper,
    collection: unknown,
    module: Host,
    ...context: unknown[]
  ): Promise<unknown>;
  instantiateClass(
    instances: unknown[],
    wrapper: Wrapper,
    target: Wrapper,
    ...context: unknown[]
  ): Promise<unknown>;
}

interface ModuleRefInside {
  injector: Injector;
  instantiateClass(type: Class, module: Host, ...context: unknown[]): Promise<unknown>;
}

let find: FindApplication | undefined;

/**
 * From now on an object belongs to its application from the moment at which Nest's injector makes it:
 * before its constructor runs, and before anybody else gets a factory's result. An injected property
 * comes later, and only to what Nest constructs by itself.
 *
 * All injectors of a process share the methods that are taken over here, once. In applications that
 * `find` does not know they do what they always did.
 */
export function takePartInInjection(findApplication: FindApplication): void {
  if (find === undefined) {
    const moduleRef = ModuleRef.prototype as unknown as ModuleRefInside;
    takeOverInjector(injectorPrototype());
    takeOverCreate(moduleRef);
  }
  find = findApplication;
}

/** Nest does not export the class everywhere at the same place, but each `ModuleRef` makes an injector. */
function injectorPrototype(): Injector {
  const AnyModuleRef = ModuleRef as unknown as new (container: object) => ModuleRefInside;
  return Object.getPrototypeOf(new AnyModuleRef({}).injector) as Injector;
}

/** The modules of what does not know its own: middleware. */
const hosts = new WeakMap<Wrapper, Host>();

function takeOverInjector(injector: Injector): void {
  const { instantiateClass, loadInstance } = injector;
  injector.loadInstance = function (this: Injector, wrapper, collection, module, ...context) {
    if (wrapper.host === undefined) hosts.set(wrapper, module);
    return loadInstance.call(this, wrapper, collection, module, ...context);
  };
  injector.instantiateClass = function (this: Injector, instances, wrapper, target, ...context) {
    const application = applicationOf(
      (wrapper.host as unknown as Host | undefined) ?? hosts.get(wrapper),
    );
    const make = application && makerFor(application, target);
    if (make === undefined)
      return instantiateClass.call(this, instances, wrapper, target, ...context);
    // Nest calls it before it first waits, so nobody else sees it.
    const { metatype } = target;
    wrapper.metatype = target.metatype = make;
    try {
      return instantiateClass.call(this, instances, wrapper, target, ...context);
    } finally {
      wrapper.metatype = target.metatype = metatype;
    }
  };
}

/** `ModuleRef.create()` constructs by itself, after it has waited for the dependencies. */
function takeOverCreate(moduleRef: ModuleRefInside): void {
  const { instantiateClass } = moduleRef;
  moduleRef.instantiateClass = function (this: ModuleRefInside, type, module, ...context) {
    const application = applicationOf(module);
    const created = instantiateClass.call(this, type, module, ...context);
    if (application === undefined || !application.wants(type)) return created;
    const born = application.expect(type);
    return created.finally(born);
  };
}

const bound = new WeakSet<Module>();

function applicationOf(module: Host | undefined): Application | undefined {
  const modules = module?.container?.getModules();
  if (modules === undefined) return undefined;
  const application = find?.(modules);
  if (application !== undefined) bindPresent(module as unknown as Module, application);
  return application;
}

/** What is there before the first provider of a module is made, and of those that it imports: values, and what circular dependencies get before it is constructed. */
function bindPresent(module: Module, application: Application): void {
  if (bound.has(module)) return;
  bound.add(module);
  for (const { instance } of wrappersOf(module)) {
    if ((instance as unknown) instanceof Promise) {
      const adopt = (value: unknown) => application.adopt(value);
      (instance as Promise<unknown>).then(adopt, () => undefined); // whoever injects it has the error
    } else {
      application.adopt(instance);
    }
  }
  for (const imported of module.imports) bindPresent(imported, application);
}

type Maker = Wrapper['metatype'] & object;

const makers = new WeakMap<object, { application: Application; make: Maker }>();

/** What Nest is to call in the place of a class or a factory; `undefined` where that makes no difference. */
function makerFor(
  application: Application,
  { metatype, inject, isAlias }: Wrapper,
): Maker | undefined {
  const made = metatype as unknown as Class | null;
  const isClass = inject === null || inject === undefined;
  if (typeof made !== 'function' || isAlias || (isClass && !application.wants(made)))
    return undefined;
  let maker = makers.get(made);
  if (maker?.application !== application) {
    const make = isClass ? constructorFor(made, application) : factoryFor(made, application);
    maker = { application, make: make as unknown as Maker };
    makers.set(made, maker);
  }
  return maker.make;
}

/** To whoever looks, it is the class: same prototype, same metadata. */
function constructorFor(type: Class, application: Application): unknown {
  function Maker(...args: unknown[]): object {
    return application.construct(type, args);
  }
  Maker.prototype = type.prototype as object;
  return Object.setPrototypeOf(Maker, type) as unknown;
}

function factoryFor(factory: unknown, application: Application): unknown {
  const adopt = <T>(made: T): T => {
    application.adopt(made);
    return made;
  };
  return function (this: unknown, ...args: unknown[]): unknown {
    const made = (factory as AnyMethod).apply(this, args);
    return made instanceof Promise ? made.then(adopt) : adopt(made);
  };
}
