import { read } from './read.js';

/** Whether an object is of no class: as literals are, and what JSON is parsed to, in whatever realm. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null || prototype === Object.prototype) return true;
  if (Object.getPrototypeOf(prototype) !== null) return false;
  // What else has no prototype may be a class, or hold what it hands down; that of query strings is empty.
  return Object.hasOwn(prototype, 'isPrototypeOf') || Reflect.ownKeys(prototype).length === 0;
}

/** Whether an array is one of no class of its own, in whatever realm. */
export function isPlainArray(value: readonly unknown[]): boolean {
  return Object.getPrototypeOf(value) === Array.prototype || classNameOf(value) === 'Array';
}

export function classNameOf(value: object): string {
  const { name } = (read(value, 'constructor') ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? name : 'a class';
}
