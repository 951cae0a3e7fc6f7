import { types } from 'node:util';

/** Whether something thrown is an `Error`, of whatever realm (a VM context, Jest) it comes from. */
export function isError(value: unknown): value is Error {
  return (
    value instanceof Error ||
    types.isNativeError(value) ||
    Object.prototype.toString.call(value) === '[object DOMException]'
  );
}
