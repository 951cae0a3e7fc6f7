import { isInstance } from '../common/is-error.js';
import { RETRY_PUSHBACK, SHOULD_RETRY } from '../common/request-headers.js';
import { forbidsRetry } from '../retry/retry-after.js';
import type { ClientScope } from './client-scope.js';
import { originOf, setHeader } from './edge-errors.js';
import { optionalPeer } from './optional-peer.js';

interface Metadata {
  clone(): Metadata;
  set(name: string, value: string): void;
}

interface RpcAnswer {
  code?: number;
  message: string;
  metadata?: Metadata;
}

/** What Nest answers on gRPC where an error is none of its own. */
const UNKNOWN: RpcAnswer = { code: 2, message: 'Internal server error' };

/** Whether a failure was retried to the end already, here or further in: the client had better not. */
export function isRetried(error: unknown, scope: ClientScope | undefined): boolean {
  const origin = originOf(error);
  return (scope?.hasRetried(origin) ?? false) || forbidsRetry(origin);
}

/** Tells a client of HTTP, where the answer has not begun. */
export function forbidRetry(response: unknown): void {
  setHeader(response, SHOULD_RETRY, 'false');
}

/**
 * Tells a client of gRPC, by the trailing metadata of the error. An `RpcException` stays the one that
 * it is; Nest takes trailers of no other error. Resolves to nothing where the error stays as it is.
 *
 * @param convert whether any other becomes an `RpcException` (code UNKNOWN, as Nest answers it anyway)
 */
export async function withPushback(error: unknown, convert: boolean): Promise<Error | undefined> {
  const grpc = await optionalPeer<{ Metadata: new () => Metadata }>('@grpc/grpc-js');
  const nest = await optionalPeer<{ RpcException: new (answer: object) => Error }>(
    '@nestjs/microservices',
  );
  if (grpc === undefined || nest === undefined) return undefined;
  const told = isInstance(error, nest.RpcException);
  if (!told && !convert) return undefined;
  const answer = told ? answerOf(error as unknown as RpcException) : UNKNOWN;
  const metadata = answer.metadata?.clone() ?? new grpc.Metadata();
  metadata.set(RETRY_PUSHBACK, '-1');
  const exception = told ? error : new nest.RpcException(UNKNOWN);
  // On the exception itself: what it was made of may be a constant of somebody's.
  Object.defineProperty(exception, 'getError', {
    value: () => ({ ...answer, metadata }),
    configurable: true, // it may be thrown again
  });
  if (!told) exception.cause = error;
  return exception;
}

interface RpcException {
  getError(): string | object;
}

function answerOf(exception: RpcException): RpcAnswer {
  const answer = exception.getError();
  return typeof answer === 'string' ? { message: answer } : (answer as RpcAnswer);
}
