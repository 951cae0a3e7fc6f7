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
  return constructorNameOf(value) ?? 'a class';
}

/** None where it has no prototype, where the class has no name, and where it cannot be read. */
export function constructorNameOf(value: object): string | undefined {
  try {
    const { name } = value.constructor;
    return typeof name === 'string' && name !== '' ? name : undefined;
  } catch {
    return undefined;
  }
}
