import { type ArgumentsHost, HttpException, HttpStatus } from '@nestjs/common';
import {
  isResilienceError,
  type ResilienceError,
  type ResilienceErrorCode,
} from '../common/resilience.error.js';
import type { Transport } from '../dispatch/handlers.js';
import { optionalPeer } from './optional-peer.js';
import { transportOfCall } from './transport.js';

interface Answer {
  status: HttpStatus;
  error: string;
  message: string;
  /** The status code of gRPC. */
  grpc: number;
}

const UNAVAILABLE = { status: HttpStatus.SERVICE_UNAVAILABLE, error: 'Service Unavailable' };

/** What a client is told. Nothing of the inside: no names of breakers, no timeouts. */
const ANSWERS: Record<ResilienceErrorCode, Answer> = {
  TIMEOUT: {
    status: HttpStatus.GATEWAY_TIMEOUT,
    error: 'Gateway Timeout',
    message: 'The request took too long',
    grpc: 4,
  },
  CIRCUIT_OPEN: { ...UNAVAILABLE, message: 'The service is temporarily unavailable', grpc: 14 },
  BULKHEAD_FULL: { ...UNAVAILABLE, message: 'The service is overloaded', grpc: 8 },
};

type ErrorOf<Argument> = new (argument: Argument) => Error;

/**
 * The HTTP exception that a resilience error becomes, and any other error as it is. An open circuit
 * says by `Retry-After` when to come again: whole seconds, rounded up, at least 1.
 */
export function httpError(error: unknown, response: unknown): unknown {
  if (!isResilienceError(error)) return error;
  const { code } = error as ResilienceError;
  const { status, error: name, message } = ANSWERS[code];
  if (isResilienceError(error, 'CIRCUIT_OPEN')) {
    const seconds = Math.ceil((error as { retryAfterMs: number }).retryAfterMs / 1_000);
    setHeader(response, 'Retry-After', String(Math.max(1, seconds)));
  }
  return new HttpException({ statusCode: status, error: name, message, code }, status, {
    cause: error,
  });
}

/** What a resilience error becomes where it leaves a handler, and any other error as it is. */
export async function transportError(
  error: unknown,
  transport: Exclude<Transport, 'http'>,
): Promise<unknown> {
  if (!isResilienceError(error)) return error;
  const { code } = error as ResilienceError;
  const { message, grpc } = ANSWERS[code];
  if (transport === 'graphql') {
    const peer = await optionalPeer<{
      GraphQLError: new (message: string, options: object) => Error;
    }>('graphql');
    return peer === undefined ? error : new peer.GraphQLError(message, { extensions: { code } });
  }
  if (transport === 'ws') {
    const peer = await optionalPeer<{ WsException: ErrorOf<object> }>('@nestjs/websockets');
    return peer === undefined ? error : new peer.WsException({ status: 'error', code, message });
  }
  const peer = await optionalPeer<{ RpcException: ErrorOf<object> }>('@nestjs/microservices');
  const answer =
    transport === 'grpc'
      ? { code: grpc, message: `${code}: ${message}` }
      : { status: 'error', code, message };
  return peer === undefined ? error : new peer.RpcException(answer);
}

/** The same for a guard, which Nest calls before any interceptor: for whatever call it guards. */
export async function guardError(error: unknown, host: ArgumentsHost): Promise<unknown> {
  const transport = transportOfCall(host);
  if (transport === undefined) return error;
  if (transport === 'http') return httpError(error, host.switchToHttp().getResponse());
  return transportError(error, transport);
}

/** Express and Fastify have the same method for it. */
function setHeader(response: unknown, name: string, value: string): void {
  const { header } = response as { header?: unknown };
  if (typeof header === 'function') header.call(response, name, value);
}
