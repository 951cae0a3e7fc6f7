/**
 * What a function returned, as a promise. The `then` of a thenable (a query builder, a lazy promise)
 * is called once, in the async context that this is called in.
 */
export function promised<T>(result: PromiseLike<T>): Promise<T>;
export function promised<T>(result: unknown): Promise<T>;
export function promised<T>(result: unknown): Promise<T> {
  return (result instanceof Promise ? result : Promise.resolve(result)) as Promise<T>;
}
