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
  message: string;
  /** Of gRPC. */
  code?: number;
  metadata?: Metadata;
  /** Of a message. */
  status?: string;
  headers?: object;
}

/** What Nest answers where an error is none of its own. */
const UNKNOWN = {
  grpc: { code: 2, message: 'Internal server error' },
  rpc: { status: 'error', message: 'Internal server error' },
} satisfies Record<string, RpcAnswer>;

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
 * Tells a client of gRPC, by the trailing metadata of the error, or who has sent a message, by `headers` in
 * it, where a client looks for those of HTTP. An `RpcException` stays the one that it is; Nest takes what
 * to answer of no other error. Resolves to nothing where the error stays as it is.
 *
 * @param convert whether any other becomes an `RpcException` (that says what Nest answers anyway)
 */
export async function withAdvice(
  error: unknown,
  transport: 'rpc' | 'grpc',
  convert: boolean,
): Promise<Error | undefined> {
  const nest = await optionalPeer<{ RpcException: new (answer: object) => Error }>(
    '@nestjs/microservices',
  );
  if (nest === undefined) return undefined;
  const told = isInstance(error, nest.RpcException);
  if (!told && !convert) return undefined;
  const answer = told ? answerOf(error as unknown as RpcException, transport) : UNKNOWN[transport];
  if (answer instanceof Error) return undefined; // that by which Kafka is asked to deliver a message again
  const advised = await (transport === 'grpc' ? withPushback(answer) : withHeader(answer));
  if (advised === undefined) return undefined;
  const exception = told ? error : new nest.RpcException(UNKNOWN[transport]);
  // On the exception itself: what it was made of may be a constant of somebody's.
  Object.defineProperty(exception, 'getError', {
    value: () => ({ ...advised }),
    configurable: true, // it may be thrown again
  });
  if (!told) exception.cause = error;
  return exception;
}

async function withPushback(answer: RpcAnswer): Promise<RpcAnswer | undefined> {
  const grpc = await optionalPeer<{ Metadata: new () => Metadata }>('@grpc/grpc-js');
  if (grpc === undefined) return undefined;
  const metadata = answer.metadata?.clone() ?? new grpc.Metadata();
  metadata.set(RETRY_PUSHBACK, '-1');
  return { ...answer, metadata };
}

function withHeader(answer: RpcAnswer): RpcAnswer {
  return { ...answer, headers: { ...answer.headers, [SHOULD_RETRY]: 'false' } };
}

interface RpcException {
  getError(): string | object;
}

function answerOf(exception: RpcException, transport: 'rpc' | 'grpc'): RpcAnswer {
  const answer = exception.getError();
  if (typeof answer !== 'string') return answer as RpcAnswer;
  return transport === 'grpc' ? { message: answer } : { status: 'error', message: answer };
}
