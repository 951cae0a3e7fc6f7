/** A promise, and what settles it (`Promise.withResolvers`, which Node 20 does not have). */
export interface OpenPromise<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

let resolveLast: (value: unknown) => void;
let rejectLast: (error: unknown) => void;

/** One function for all promises: one for each would be made at every call. */
function keep(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  resolveLast = resolve;
  rejectLast = reject;
}

export function openPromise<T>(): OpenPromise<T> {
  const promise = new Promise<unknown>(keep) as Promise<T>;
  return { promise, resolve: resolveLast, reject: rejectLast };
}
