import type { ArgumentsHost } from '@nestjs/common';
import { lastValueFrom } from 'rxjs';
import { isInstance } from '../common/is-error.js';
import { RETRY_PUSHBACK, SHOULD_RETRY } from '../common/request-headers.js';
import { forbidsRetry } from '../errors/retry-after.js';
import { adviseInBaseRpcFilter, type BaseRpcFilterClass } from '../nest/base-filter.js';
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

/** What is taken of the optional peer. */
interface Microservices {
  readonly RpcException: new (answer: object) => Error;
  readonly BaseRpcExceptionFilter: BaseRpcFilterClass;
}

/** What Nest answers on gRPC where an error is none of its own. */
const UNKNOWN: RpcAnswer = { code: 2, message: 'Internal server error' };

/** Other errors by which message handlers have failed that were retried to the end, until they are answered. */
const final = new WeakSet<object>();

/** Whether an error was left to the module's filter, so that those of the application see it as it is. */
export function isFinal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && final.has(error);
}

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
 * @param convert whether any other is answered so too: on gRPC as an `RpcException` (code UNKNOWN, as Nest
 * answers it anyway), and of a message by Nest's base filter, as the module's and most of an application extend it
 */
export async function withAdvice(
  error: unknown,
  transport: 'rpc' | 'grpc',
  convert: boolean,
): Promise<Error | undefined> {
  const nest = await optionalPeer<Microservices>('@nestjs/microservices');
  if (nest === undefined) return undefined;
  const told = isInstance(error, nest.RpcException);
  if (!told && !convert) return undefined;
  if (!told && transport === 'rpc') {
    adviseInBaseRpcFilter(nest.BaseRpcExceptionFilter, adviceOn);
    if (typeof error === 'object' && error !== null) final.add(error);
    return undefined;
  }
  const answer = told ? answerOf(error as unknown as RpcException, transport) : UNKNOWN;
  if (answer instanceof Error) return undefined; // that by which Kafka is asked to deliver a message again
  const advised = await (transport === 'grpc' ? withPushback(answer) : withHeader(answer));
  if (advised === undefined) return undefined;
  const exception = told ? error : new nest.RpcException(UNKNOWN);
  // On the exception itself: what it was made of may be a constant of somebody's.
  Object.defineProperty(exception, 'getError', {
    value: () => ({ ...advised }),
    configurable: true, // it may be thrown again
  });
  if (!told) exception.cause = error;
  return exception;
}

/** Answers a message as Nest does, which logs an error that is none of its own. */
export async function tellFinal(error: unknown, host: ArgumentsHost): Promise<never> {
  const nest = await optionalPeer<Microservices>('@nestjs/microservices');
  if (nest === undefined) throw error;
  return lastValueFrom(new nest.BaseRpcExceptionFilter().catch(error, host));
}

/** What Nest answers for an error that is none of its own, by whichever filter: it says here what is final. */
function adviceOn(error: unknown, answer: object): object {
  return final.delete(error as object) ? withHeader(answer as RpcAnswer) : answer; // it may be a constant
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
