import { read } from './read.js';

/** Whether an object is of no class: as literals are, and what JSON is parsed to, in whatever realm. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export function classNameOf(value: object): string {
  const { name } = (read(value, 'constructor') ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? name : 'a class';
}
