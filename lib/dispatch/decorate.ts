import 'reflect-metadata';
import type { AnyMethod, Class } from '../common/class.js';
import { ResilienceConfigurationError } from '../common/configuration.error.js';
import { refuseStandardDecorator } from '../common/standard-decorators.js';
import { isHandler } from '../nest/handlers.js';
import { functionKindOf, isAsynchronous, methodsOf, namesItself } from './class-methods.js';
import {
  decoratorName,
  type MethodDefinition,
  openClassSettings,
  ownDefinitions,
  say,
} from './method-definition.js';
import { openSlot, runsUnprotected, runtimeOf } from './runtime-slot.js';

/** Says `value` for `stage`, of a method or of all methods of a class that it reaches. */
export function decorate(stage: string, value: unknown) {
  return (target: object, key?: PropertyKey, descriptor?: PropertyDescriptor): void => {
    refuseStandardDecorator(decoratorName(stage), key);
    if (key === undefined) decorateClass(target as Class, stage, value);
    else decorateMethod(target, key, descriptor ?? {}, stage, value);
  };
}

function decorateMethod(
  prototype: object,
  key: PropertyKey,
  descriptor: PropertyDescriptor,
  stage: string,
  value: unknown,
): void {
  const decorator = decoratorName(stage);
  const method = descriptor.value as unknown;
  if (typeof prototype === 'function' || typeof method !== 'function') {
    const owner = typeof prototype === 'function' ? prototype : prototype.constructor;
    throw new ResilienceConfigurationError(
      `${owner.name}.${String(key)}`,
      `${decorator} is for instance methods and classes; this is ${describe(prototype, method)}`,
    );
  }
  const definitions = ownDefinitions(prototype);
  let definition = definitions.get(key);
  if (definition?.dispatcher !== method) {
    // The first of our decorators here, or one above a decorator that wrapped our dispatcher.
    const below = Object.keys(definition?.settings ?? {}).map(decoratorName);
    if (definition === undefined)
      definition = define(prototype.constructor as Class, key, method as AnyMethod);
    else definition.between.push({ above: decorator, below, wrapper: method as AnyMethod });
    definition.dispatcher = dispatcherFor(definition, method as AnyMethod);
    definitions.set(key, definition);
    descriptor.value = definition.dispatcher;
    openSlot(prototype);
  }
  definition.settings ??= {};
  say(definition.settings, stage, value);
}

function decorateClass(type: Class, stage: string, value: unknown): void {
  say(openClassSettings(type), stage, value);
  const prototype = type.prototype as object;
  const { include } = (value ?? {}) as { include?: unknown }; // of `@Resilience()`, as is checked at boot
  const isIncluded = (key: PropertyKey) => Array.isArray(include) && include.includes(key);
  for (const [key, method, owner] of methodsOf(prototype)) {
    if (ownDefinitions(owner).has(key)) continue;
    if (!isAsynchronous(key, method, owner) && !isHandler(method) && !isIncluded(key)) continue;
    const definition = define(type, key, method);
    definition.dispatcher = dispatcherFor(definition, method);
    ownDefinitions(prototype).set(key, definition);
    const place = {
      value: definition.dispatcher,
      writable: true,
      configurable: true,
      enumerable: false,
    };
    Object.defineProperty(prototype, key, place);
  }
  openSlot(prototype);
}

function define(owner: Class, key: PropertyKey, method: AnyMethod): MethodDefinition {
  return {
    owner,
    key,
    settings: undefined,
    functionKind: functionKindOf(method),
    namesItself: namesItself(key, method),
    dispatcher: method,
    latest: undefined,
    between: [],
  };
}

/**
 * The function that takes the method's place: it runs the pipeline where the object belongs to an
 * application, and otherwise the method as if undecorated. It is the method to everybody who looks:
 * same name, same length, same metadata (routes, guards, schedules, Swagger).
 */
function dispatcherFor(definition: MethodDefinition, original: AnyMethod): AnyMethod {
  const dispatcher = function (this: unknown, ...args: unknown[]): unknown {
    if (definition.dispatcher !== dispatcher) return original.apply(this, args);
    const runtime = runtimeOf(this);
    if (runtime !== undefined) return runtime.dispatch(this as object, definition, original, args);
    runsUnprotected(this, definition);
    return original.apply(this, args);
  };
  for (const key of Reflect.getOwnMetadataKeys(original)) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), dispatcher);
  }
  // Some libraries leave their marks on the function itself.
  for (const property of Reflect.ownKeys(original)) {
    const mark = Object.getOwnPropertyDescriptor(original, property) as PropertyDescriptor;
    Reflect.defineProperty(dispatcher, property, mark);
  }
  return dispatcher;
}

function describe(target: object, method: unknown): string {
  if (typeof target === 'function') return 'a static method';
  return method === undefined ? 'a property or an accessor' : `a ${typeof method}`;
}
