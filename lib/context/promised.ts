/**
 * What a function returned, as a promise. The `then` of a thenable (a query builder, a lazy promise)
 * is called once, in the async context that this is called in.
 */
export function promised<T>(result: PromiseLike<T>): Promise<T>;
export function promised<T>(result: unknown): Promise<T>;
export function promised<T>(result: unknown): Promise<T> {
  return (isPlain(result) ? result : Promise.resolve(result)) as Promise<T>;
}

/** A derived class may have a `then` of its own, such as that of a query which only begins by it. */
function isPlain(result: unknown): boolean {
  return result instanceof Promise && Object.getPrototypeOf(result) === Promise.prototype;
}
