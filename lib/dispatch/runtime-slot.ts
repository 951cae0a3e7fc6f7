import { Inject, Optional } from '@nestjs/common';
import type { AnyMethod, MethodDefinition } from './method-definition.js';

/** The injection token of an application's runtime. `Symbol.for`, so that two copies of the package agree. */
export const RUNTIME = Symbol.for('nestjs-bulwark:runtime');

/** The hidden property in which every instance carries the runtime of its application. */
const SLOT = Symbol.for('nestjs-bulwark:slot');
const BRAND = Symbol.for('nestjs-bulwark:is-runtime');

/** What runs the decorated methods of one application. */
export interface Dispatching {
  readonly [BRAND]: true;
  dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown;
}

type Carrier = { [SLOT]?: unknown };

/** Makes a class a `Dispatching` one. */
export abstract class DispatchingRuntime implements Dispatching {
  readonly [BRAND] = true;
  abstract dispatch(
    self: object,
    definition: MethodDefinition,
    original: AnyMethod,
    args: unknown[],
  ): unknown;
}

/** Instances that are frozen cannot carry anything. */
const frozen = new WeakMap<object, unknown>();

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
      return frozen.get(this);
    },
    set(this: object, runtime: unknown) {
      const own = { value: runtime, writable: true, configurable: true };
      if (!Reflect.defineProperty(this, SLOT, own)) frozen.set(this, runtime);
    },
  });
  Inject(RUNTIME)(prototype, SLOT);
  Optional()(prototype, SLOT);
}

/** Hands the runtime to an object that Nest did not construct, where its class has decorated methods. */
export function fillSlot(instance: unknown, runtime: Dispatching): boolean {
  if (typeof instance !== 'object' || instance === null || !(SLOT in instance)) return false;
  (instance as Carrier)[SLOT] = runtime;
  return true;
}

/** The runtime of the application that an object belongs to. Auto-mocking injectors put anything there. */
export function runtimeOf(self: unknown): Dispatching | undefined {
  const runtime = (self as Carrier | null | undefined)?.[SLOT] as Dispatching | undefined;
  return runtime?.[BRAND] === true ? runtime : undefined;
}
