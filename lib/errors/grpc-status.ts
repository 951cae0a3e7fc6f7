import { read } from '../common/read.js';

/** The status codes of gRPC by which a server answers that the request is at fault, as HTTP does by 4xx. */
const CLIENT_ERRORS = new Map([
  [3, 'INVALID_ARGUMENT'],
  [5, 'NOT_FOUND'],
  [6, 'ALREADY_EXISTS'],
  [7, 'PERMISSION_DENIED'],
  [9, 'FAILED_PRECONDITION'],
  [11, 'OUT_OF_RANGE'],
  [12, 'UNIMPLEMENTED'],
  [16, 'UNAUTHENTICATED'],
]);

/** Of a number that is known to be a status of gRPC. */
export function isGrpcClientError(code: unknown): boolean {
  return CLIENT_ERRORS.has(code as number);
}

/**
 * Whether a client of gRPC threw an error for an answer of that kind. A number as `code` is common, so
 * more has to be there: the metadata of the answer (`@grpc/grpc-js`, Connect), or its `details` with
 * the code's name in the message (nice-grpc).
 */
export function isGrpcAnswer(error: unknown): boolean {
  const name = CLIENT_ERRORS.get(read(error, 'code') as number);
  if (name === undefined) return false;
  if (typeof read(read(error, 'metadata'), 'get') === 'function') return true;
  const message = read(error, 'message');
  return (
    typeof read(error, 'details') === 'string' &&
    typeof message === 'string' &&
    message.includes(name)
  );
}
