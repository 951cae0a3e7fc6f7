import { read } from '../common/read.js';
import { isGrpcAnswer, isGrpcClientError } from './grpc-status.js';

/** By these the dependency pushes back (timeout, too early, too many requests): not the caller's fault. */
const PUSH_BACK = new Set([408, 425, 429]);

/** What GraphQL servers (Apollo, Nest) answer where the request is at fault. */
const GRAPHQL_CODES = new Set([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'FORBIDDEN',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'UNAUTHENTICATED',
]);

/**
 * Whether an error is an answer about the request rather than a failure of the one who answers:
 *
 * - an `HttpException` below 500, except 408, 425 and 429, by which the dependency pushes back;
 * - a numeric `status`, `statusCode`, `response.status`, `response.statusCode` (got),
 *   `$metadata.httpStatusCode` (AWS) or `extensions.http.status` (GraphQL) of 400 to 499, except
 *   the same;
 * - of gRPC, INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION,
 *   OUT_OF_RANGE, UNIMPLEMENTED and UNAUTHENTICATED: as the `code` of a client's error that has the
 *   metadata or details of an answer, or of an `RpcException`. CANCELLED is none: nobody has answered;
 * - a `GraphQLError` whose `extensions.code` is BAD_REQUEST, BAD_USER_INPUT, FORBIDDEN,
 *   UNAUTHENTICATED, GRAPHQL_PARSE_FAILED or GRAPHQL_VALIDATION_FAILED;
 * - an `RpcException` or `WsException` whose `getError()` is any of these.
 */
export function isClientError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const status = asked(error, 'getStatus'); // an HttpException's response is the body, which may quote another
  if (typeof status === 'number') return status < 500 && !PUSH_BACK.has(status);
  const told = asked(error, 'getError');
  return isClientAnswer(error) || isClientAnswer(told) || isGrpcClientError(read(told, 'code'));
}

/** The statuses of HTTP that an error says it is the answer of, as clients tell them. */
export function statusesOf(error: unknown): number[] {
  const response = read(error, 'response');
  return [
    read(error, 'status'),
    read(error, 'statusCode'),
    read(response, 'status'),
    read(response, 'statusCode'),
    read(read(error, '$metadata'), 'httpStatusCode'),
    read(read(read(error, 'extensions'), 'http'), 'status'),
  ].filter((status) => typeof status === 'number');
}

function isClientAnswer(error: unknown): boolean {
  const statuses = statusesOf(error);
  if (statuses.some((status) => PUSH_BACK.has(status))) return false;
  return (
    statuses.some((status) => status >= 400 && status < 500) ||
    isGrpcAnswer(error) ||
    (read(error, 'name') === 'GraphQLError' &&
      GRAPHQL_CODES.has(read(read(error, 'extensions'), 'code') as string))
  );
}

/** By its shape an exception is known, so that any copy and version of Nest is, and none is imported here. */
function asked(error: object, method: 'getStatus' | 'getError'): unknown {
  const ask = read(error, method);
  try {
    return typeof ask === 'function' ? ask.call(error) : undefined;
  } catch {
    return undefined;
  }
}
