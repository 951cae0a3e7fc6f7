import { types } from 'node:util';

/** Whether something thrown is an `Error`, of whatever realm (a VM context, Jest) it comes from. */
export function isError(value: unknown): value is Error {
  return isInstance(value, Error) || types.isNativeError(value) || isDomException(value);
}

/** The same as `instanceof`, also for what does not want to be looked at (a revoked proxy): it is none. */
export function isInstance<T>(
  value: unknown,
  type: abstract new (...args: never[]) => T,
): value is T {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

function isDomException(value: unknown): boolean {
  try {
    return Object.prototype.toString.call(value) === '[object DOMException]';
  } catch {
    return false;
  }
}
