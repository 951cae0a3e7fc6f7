import 'reflect-metadata';
import type { AnyMethod, Class } from '../common/class.js';

/** What decorators can say about a method, stage by stage, as it was written; checked at boot. */
export interface Settings {
  upstream?: unknown;
  /** The name of a bundle, or options. */
  resilience?: unknown;
  onDiscard?: unknown;
  [stage: string]: unknown;
}

/** A method that goes through a pipeline where its object belongs to an application with the module. */
export interface MethodDefinition {
  /** The class that declares the method. */
  readonly owner: Class;
  readonly key: PropertyKey;
  /** From the method's own decorators; `undefined` where only a class decorator reaches it. */
  settings: Settings | undefined;
  /** The name of the constructor of the function as it was written: `AsyncFunction`, `AsyncGeneratorFunction`, … */
  readonly functionKind: string;
  /** Whether the method's text has its own name in it, as that of one has which calls itself. */
  readonly namesItself: boolean;
  /** The function that is in the class now. An earlier one, which another decorator wrapped, steps aside. */
  dispatcher: AnyMethod;
  /** Of the application that has called it last: what that knows of it. */
  latest: unknown;
  /** Where decorators of others that replace the method stand between ours, from the lowest up. */
  between: Between[];
}

/** A decorator of others, which wrapped what our decorators below it had made. */
export interface Between {
  /** Of ours: `@Retry()`. */
  readonly above: string;
  readonly below: readonly string[];
  /** What it put in the method's place. */
  readonly wrapper: AnyMethod;
}

/** The decorator that says something for a stage. */
export function decoratorName(stage: string): string {
  return `@${stage.charAt(0).toUpperCase()}${stage.slice(1)}()`;
}

/** What was said for one stage more than once, on one method or one class. It is refused at boot. */
export class SaidTwice {
  constructor(readonly values: readonly unknown[]) {}
}

/** Says a value for a stage. */
export function say(settings: Settings, stage: string, value: unknown): void {
  const said = settings[stage];
  if (!(stage in settings)) settings[stage] = value;
  else
    settings[stage] = new SaidTwice(
      said instanceof SaidTwice ? [...said.values, value] : [said, value],
    );
}

const METHODS = Symbol.for('nestjs-bulwark:methods');
const CLASS_SETTINGS = Symbol.for('nestjs-bulwark:class-settings');

/** The definitions that a prototype itself declares, for writing. */
export function ownDefinitions(prototype: object): Map<PropertyKey, MethodDefinition> {
  let definitions = Reflect.getOwnMetadata(METHODS, prototype) as
    | Map<PropertyKey, MethodDefinition>
    | undefined;
  if (definitions === undefined) {
    definitions = new Map();
    Reflect.defineMetadata(METHODS, definitions, prototype);
  }
  return definitions;
}

/** The definitions of a class and of those that it extends. A derived class's method hides its base's. */
export function definitionsOf(type: { prototype: unknown }): MethodDefinition[] {
  const found = new Map<PropertyKey, MethodDefinition | undefined>();
  for (const prototype of prototypesOf(type.prototype)) {
    const own = declaredBy(prototype);
    for (const key of Reflect.ownKeys(prototype)) if (!found.has(key)) found.set(key, own.get(key));
  }
  return [...found.values()].filter((definition) => definition !== undefined);
}

/** The same, with those that a derived class's method hides: `super` still reaches them. */
export function allDefinitionsOf(type: { prototype: unknown }): MethodDefinition[] {
  return prototypesOf(type.prototype).flatMap((prototype) => [...declaredBy(prototype).values()]);
}

const NONE: ReadonlyMap<PropertyKey, MethodDefinition> = new Map();

function declaredBy(prototype: object): typeof NONE {
  return (Reflect.getOwnMetadata(METHODS, prototype) as typeof NONE | undefined) ?? NONE;
}

/** What the decorators on a class itself say. */
export function ownClassSettings(type: object): Settings | undefined {
  return Reflect.getOwnMetadata(CLASS_SETTINGS, type) as Settings | undefined;
}

/** The same, for writing. */
export function openClassSettings(type: object): Settings {
  let settings = ownClassSettings(type);
  if (settings === undefined) {
    settings = {};
    Reflect.defineMetadata(CLASS_SETTINGS, settings, type);
  }
  return settings;
}

/** The settings of the decorators on a class and on those that it extends, base first. */
export function classSettings(type: { prototype: unknown }): Settings[] {
  return prototypesOf(type.prototype)
    .map((prototype) => ownClassSettings(prototype.constructor))
    .filter((settings) => settings !== undefined)
    .reverse();
}

function prototypesOf(prototype: unknown): object[] {
  const chain: object[] = [];
  for (
    let next = prototype;
    next && next !== Object.prototype;
    next = Object.getPrototypeOf(next)
  ) {
    chain.push(next as object);
  }
  return chain;
}
