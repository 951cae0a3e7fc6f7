import 'reflect-metadata';
import type { Observable } from 'rxjs';
import { isAsyncFunction } from '../common/answers.js';
import type { AnyMethod, Class } from '../common/class.js';

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
  if (functionKindOf(method) === 'AsyncFunction') return true;
  const declared = Reflect.getMetadata('design:returntype', owner, key as string) as unknown;
  return declared === Promise || (isObservableClass(declared) && declared.name === 'Observable');
}

/** Whether a type is that of Observables, or of more; also of another copy of rxjs. */
export function isObservableClass(type: unknown): type is Class {
  const { prototype } = (type ?? {}) as { prototype?: unknown };
  const { subscribe, pipe } = (prototype ?? {}) as Partial<Observable<unknown>>;
  return typeof subscribe === 'function' && typeof pipe === 'function';
}

/** What kind of function a method was written as: its constructor's name, or what it was before a compiler lowered it. */
export function functionKindOf(method: AnyMethod): string {
  if (isAsyncFunction(method)) return 'AsyncFunction';
  const text = Function.prototype.toString.call(method);
  if (LOWERED_ASYNC_GENERATOR.test(text)) return 'AsyncGeneratorFunction';
  return LOWERED_ASYNC.test(text) ? 'AsyncFunction' : method.constructor.name;
}

/**
 * Whether a method's text, after its beginning, has its own name in it: then it may well call itself. Of a
 * method without a text, or without a name, nobody knows, so it may.
 */
export function namesItself(key: PropertyKey, method: AnyMethod): boolean {
  const text = Function.prototype.toString.call(method);
  if (typeof key !== 'string' || text.includes('[native code]')) return true;
  const name = key.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  return new RegExp(`(?<![\\w$])${name}(?![\\w$])`).test(text.slice(text.indexOf('(')));
}

/** What keeps `this` and `super` for the generator that a lowered body has become. */
const PREAMBLE =
  /(?:(?:const|var|let) [\w$]+ ?= ?(?:this|Object\.create\(null, ?\{[^;]*\}\));\s*)*/;

/**
 * A method that was compiled for a target without its kind is a function that hands a generator to a
 * helper. Its text is all that tells.
 */
const loweredBy = (...handedOver: RegExp[]) =>
  new RegExp(
    String.raw`^[^{]*\{\s*${PREAMBLE.source}return ?\(?(?:0, ?)?(?:${handedOver.map(({ source }) => source).join('|')})`,
  );

/** `async *` for ES2017 and before. */
const LOWERED_ASYNC_GENERATOR = loweredBy(
  /[\w$.]*(?:__asyncGenerator|wrapAsyncGenerator|_wrap_async_generator)[\w$.]*\)?\(/,
);

/** `async` for ES2016 and before, minified or not. */
const LOWERED_ASYNC = loweredBy(
  /[\w$.]*(?:__awaiter|__async|asyncToGenerator|_async_to_generator)[\w$.]*\)?\(/, // by the helper's name
  /[\w$.]+\)?\(this, ?(?:arguments|void 0|null), ?(?:void 0, ?)?\(?function ?\*/, // TypeScript, esbuild
  /[\w$.]+\)?\(\(?function ?\*[\s\S]*\}\)+(?:\(\)|\.(?:call|apply)\(this[^)]*\));?\s*\}$/, // Babel, SWC
);
