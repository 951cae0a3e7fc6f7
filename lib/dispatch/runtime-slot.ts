import { Inject, Logger, Optional } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { AnyMethod, Class } from '../common/class.js';
import type { Application } from '../nest/injector.js';
import type { MethodDefinition } from './method-definition.js';

/** The injection token of an application's runtime. `Symbol.for`, so that two copies of the package agree. */
export const RUNTIME = Symbol.for('nestjs-bulwark:runtime');

/** The hidden property in which every instance carries the runtime of its application. */
const SLOT = Symbol.for('nestjs-bulwark:slot');
/** The hidden property by which an instance learns that it is part of any application at all. */
const NEST = Symbol.for('nestjs-bulwark:nest');
const BRAND = Symbol.for('nestjs-bulwark:is-runtime');

type Carrier = { [SLOT]?: unknown };

/** What runs the decorated methods of one application, to whose objects it hands itself. */
export abstract class DispatchingRuntime implements Application {
  readonly [BRAND] = true;
  abstract dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown;
  /** A method has run unprotected, because nothing told that its object would be the application's. */
  abstract missed(self: object, definition: MethodDefinition): void;
  abstract adopt(instance: unknown): void;

  /** Whether instances of a class have a place for the runtime. */
  wants(type: Class): boolean {
    return SLOT in Object(type.prototype); // an arrow function has none
  }

  /** Constructs an instance that belongs to the application before its constructor runs. */
  construct(type: Class, args: unknown[]): object {
    const born = this.expect(type);
    try {
      const instance = Reflect.construct(type, args) as object;
      if (runtimeOf(instance) === undefined) aside.set(instance, this);
      return instance;
    } finally {
      born();
    }
  }

  /**
   * Until the result is called, the instances of a class that have no runtime are taken for those that
   * this one's application is making.
   */
  expect(type: Class): () => void {
    const birth: Birth = { prototype: type.prototype, runtime: this };
    births.push(birth);
    return () => births.splice(births.lastIndexOf(birth), 1);
  }
}

/**
 * The runtimes of objects that do not carry them: frozen ones, and those whose constructor is running.
 * (If it froze an object that carries its runtime, Nest could not assign the injected property again.)
 */
const aside = new WeakMap<object, unknown>();

/**
 * Lets Nest hand the runtime to every instance of the class, in every scope: the slot is an optional
 * injected property. (Replacing methods on instances after start-up would miss request-scoped and
 * transient providers, lazily loaded modules, and calls made during start-up.)
 */
export function openSlot(prototype: object): void {
  if (SLOT in prototype) return;
  Object.defineProperty(prototype, SLOT, {
    configurable: true,
    get(this: object) {
      return aside.get(this) ?? runtimeAtBirth(this);
    },
    set(this: object, runtime: unknown) {
      place(runtime, this);
    },
  });
  Object.defineProperty(prototype, NEST, {
    configurable: true,
    set(this: object) {
      if (!Object.hasOwn(this, SLOT) && !aside.has(this)) noteUnserved(this);
    },
  });
  for (const [key, token] of [
    [SLOT, RUNTIME],
    [NEST, ModuleRef],
  ] as const) {
    Inject(token)(prototype, key); // in this order: the second asks what became of the first
    Optional()(prototype, key);
  }
}

/** Hands the runtime to an object that Nest did not construct, where its class has decorated methods. */
export function fillSlot(instance: unknown, runtime: DispatchingRuntime): boolean {
  if (typeof instance !== 'object' || instance === null || !(SLOT in instance)) return false;
  Reflect.set(instance, SLOT, runtime);
  return true;
}

/** The runtime of the application that an object belongs to. Auto-mocking injectors put anything there. */
export function runtimeOf(self: unknown): DispatchingRuntime | undefined {
  const runtime = (self as Carrier | null | undefined)?.[SLOT];
  return isRuntime(runtime) ? runtime : undefined;
}

function isRuntime(value: unknown): value is DispatchingRuntime {
  return (value as DispatchingRuntime | null | undefined)?.[BRAND] === true;
}

function place(runtime: unknown, self: object): void {
  const own = { value: runtime, writable: true, configurable: true };
  if (!Reflect.defineProperty(self, SLOT, own)) aside.set(self, runtime);
  const definition = unprotected.get(self);
  if (definition === undefined || !isRuntime(runtime)) return;
  unprotected.delete(self);
  runtime.missed(self, definition);
}

/** Objects that an application is making and whose slots are empty yet, known by their class. */
interface Birth {
  readonly prototype: unknown;
  readonly runtime: DispatchingRuntime;
}

const births: Birth[] = [];

function runtimeAtBirth(self: object): DispatchingRuntime | undefined {
  if (births.length === 0) return undefined;
  const prototype: unknown = Object.getPrototypeOf(self);
  const birth = births.findLast((each) => each.prototype === prototype);
  if (birth !== undefined) aside.set(self, birth.runtime);
  return birth?.runtime;
}

/** Objects whose decorated methods were called without a runtime, and which was the first. */
const unprotected = new WeakMap<object, MethodDefinition>();
/** Objects that Nest made in an application without the module. */
const unserved = new WeakSet<object>();
const warned = new WeakSet<Class>();

/** A decorated method runs as if undecorated. That is no mistake, unless an application has its object. */
export function runsUnprotected(self: unknown, definition: MethodDefinition): void {
  if (typeof self !== 'object' || self === null || unprotected.has(self)) return;
  unprotected.set(self, definition);
  if (unserved.has(self)) warnOfMissingModule(self, definition);
}

function noteUnserved(self: object): void {
  unserved.add(self);
  const definition = unprotected.get(self);
  if (definition !== undefined) warnOfMissingModule(self, definition);
}

function warnOfMissingModule(self: object, { key }: MethodDefinition): void {
  const type = self.constructor as Class;
  if (warned.has(type)) return;
  warned.add(type);
  new Logger('ResilienceModule').warn(
    `${type.name}.${String(key)} runs unprotected, and so do the other decorated methods of ${type.name}: this application has no ResilienceModule; import ResilienceModule.forRoot() in its root module`,
  );
}
