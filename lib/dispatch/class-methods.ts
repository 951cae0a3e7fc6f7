import 'reflect-metadata';
import type { Observable } from 'rxjs';
import { isAsyncFunction } from '../common/options.js';
import type { AnyMethod, Class } from './method-definition.js';

/** Nest's calls at start and end: a class decorator that hid their failure would hide a broken start. */
const LIFECYCLE_HOOKS = [
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
];

/** The methods that a class decorator may reach, of a class and of those that it extends, each with the prototype that declares it. */
export function* methodsOf(prototype: object): Generator<[PropertyKey, AnyMethod, object]> {
  const seen = new Set<PropertyKey>(['constructor', ...LIFECYCLE_HOOKS]);
  for (
    let owner = prototype;
    owner && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner)
  ) {
    for (const key of Reflect.ownKeys(owner)) {
      const method = Object.getOwnPropertyDescriptor(owner, key)?.value as unknown;
      if (!seen.has(key) && typeof method === 'function') yield [key, method as AnyMethod, owner];
      seen.add(key);
    }
  }
}

/**
 * Whether a method is known to return a Promise or an Observable: it is `async`, or was before a
 * compiler lowered it, or is declared to, which TypeScript tells of methods that have a decorator.
 * A subclass of the two (a query that is thenable, a Subject) is more than the call of it would answer.
 */
export function isAsynchronous(key: PropertyKey, method: AnyMethod, owner: object): boolean {
  if (isAsyncFunction(method) || isLoweredAsync(method)) return true;
  const declared = Reflect.getMetadata('design:returntype', owner, key as string) as unknown;
  return declared === Promise || (isObservableClass(declared) && declared.name === 'Observable');
}

/** Whether a type is that of Observables, or of more; also of another copy of rxjs. */
export function isObservableClass(type: unknown): type is Class {
  const { prototype } = (type ?? {}) as { prototype?: unknown };
  const { subscribe, pipe } = (prototype ?? {}) as Partial<Observable<unknown>>;
  return typeof subscribe === 'function' && typeof pipe === 'function';
}

/** What keeps `this` and `super` for the generator that a lowered body has become. */
const PREAMBLE =
  /(?:(?:const|var|let) [\w$]+ ?= ?(?:this|Object\.create\(null, ?\{[^;]*\}\));\s*)*/;

/** The ways in which compilers hand it to their helper. */
const HANDED_OVER = [
  /[\w$.]*(?:__awaiter|__async|asyncToGenerator|_async_to_generator)[\w$.]*\)?\(/, // by the helper's name
  /[\w$.]+\)?\(this, ?(?:arguments|void 0|null), ?(?:void 0, ?)?\(?function ?\*/, // TypeScript, esbuild
  /[\w$.]+\)?\(\(?function ?\*[\s\S]*\}\)+(?:\(\)|\.(?:call|apply)\(this[^)]*\));?\s*\}$/, // Babel, SWC
];

const LOWERED = new RegExp(
  String.raw`^[^{]*\{\s*${PREAMBLE.source}return ?\(?(?:0, ?)?(?:${HANDED_OVER.map(({ source }) => source).join('|')})`,
);

/**
 * An `async` method that was compiled for a target without them (ES2016 and before) is a function
 * that hands a generator to a helper, minified or not. Its text is all that tells.
 */
function isLoweredAsync(method: AnyMethod): boolean {
  return LOWERED.test(Function.prototype.toString.call(method));
}
