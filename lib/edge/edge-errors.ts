import { type ServerResponse, STATUS_CODES } from 'node:http';
import { type ArgumentsHost, HttpException } from '@nestjs/common';
import { read } from '../common/read.js';
import { type ErrorMeaning, meaningOf } from '../errors/resilience.error.js';
import type { Transport } from '../nest/handlers.js';
import { optionalPeer } from './optional-peer.js';
import { transportOfCall } from './transport.js';

type ErrorOf<Argument> = new (argument: Argument) => Error;

/** What errors of transports were made of: a method may be a handler of two, and map for the other one. */
const origins = new WeakMap<object, unknown>();

/** The error that one of a transport was made of, or the error itself. */
export function originOf(error: unknown): unknown {
  return origins.get(error as object) ?? error;
}

/**
 * The HTTP exception that a resilience error becomes, and any other error as it is. One that knows, as
 * that of an open circuit does, says by `Retry-After` when to come again: whole seconds, rounded up, at
 * least 1.
 */
export function httpError(given: unknown, response: unknown): unknown {
  const error = originOf(given);
  const meaning = meaningOf(error);
  if (meaning === undefined) return error;
  const { code, http, message } = meaning;
  const retryAfterMs = read(error, 'retryAfterMs');
  if (typeof retryAfterMs === 'number') {
    const seconds = Math.ceil(retryAfterMs / 1_000);
    setHeader(response, 'Retry-After', String(Math.max(1, seconds)));
  }
  const body = { statusCode: http, error: STATUS_CODES[http], message, code };
  return new HttpException(body, http, { cause: error });
}

/** What is told of a client that has gone, by nginx's code: for the log, since nobody reads the answer. */
export function clientClosedRequest(): HttpException {
  return new HttpException('Client Closed Request', 499);
}

/**
 * Resolves to what an error becomes where it leaves a handler, and to nothing where it stays what it is:
 * a promise cannot resolve to just any error, which may be a thenable, or a proxy that was revoked.
 */
export type ErrorMapping = (error: unknown) => Promise<Error | undefined>;

/** What a resilience error becomes where it leaves a handler. Any other stays what it is. */
export async function transportError(
  given: unknown,
  transport: Exclude<Transport, 'http'>,
): Promise<Error | undefined> {
  const error = originOf(given);
  const meaning = meaningOf(error);
  if (meaning === undefined) return undefined;
  const mapped = await errorFor(transport, meaning);
  if (mapped === undefined) return error as Error;
  origins.set(mapped, error);
  return mapped;
}

/** The transport's own error; `undefined` where its package is not there. */
async function errorFor(
  transport: Exclude<Transport, 'http'>,
  { code, message, grpc }: ErrorMeaning,
): Promise<Error | undefined> {
  if (transport === 'graphql') {
    const peer = await optionalPeer<{
      GraphQLError: new (message: string, options: object) => Error;
    }>('graphql');
    return peer && new peer.GraphQLError(message, { extensions: { code } });
  }
  if (transport === 'ws') {
    const peer = await optionalPeer<{ WsException: ErrorOf<object> }>('@nestjs/websockets');
    return peer && new peer.WsException({ status: 'error', code, message });
  }
  const peer = await optionalPeer<{ RpcException: ErrorOf<object> }>('@nestjs/microservices');
  const answer =
    transport === 'grpc'
      ? { code: grpc, message: `${code}: ${message}`, metadata: await trailer(code) }
      : { status: 'error', code, message };
  return peer && new peer.RpcException(answer);
}

/** Metadata that tells a client of gRPC the code in so many letters: several share a status code. */
async function trailer(code: string): Promise<unknown> {
  const grpc = await optionalPeer<{
    Metadata: new () => { set(key: string, value: string): void };
  }>('@grpc/grpc-js');
  const metadata = grpc && new grpc.Metadata();
  metadata?.set('resilience-code', code);
  return metadata;
}

/**
 * The same for a guard or an interceptor, which may be around ours: for whatever call it is at. On HTTP it
 * stays what it is, for the filters of the application.
 */
export async function guardError(error: unknown, host: ArgumentsHost): Promise<Error | undefined> {
  const transport = transportOfCall(host);
  return transport === undefined || transport === 'http'
    ? undefined
    : transportError(error, transport);
}

/**
 * Express and Fastify have the same method for it, which throws when it is too late. Middleware on
 * Fastify has the response of Node.
 */
export function setHeader(response: unknown, name: string, value: string): void {
  const { header, raw } = response as { header?: unknown; raw?: ServerResponse };
  const node = raw ?? (response as ServerResponse);
  if (node.headersSent) return;
  if (typeof header === 'function') header.call(response, name, value);
  else if (typeof node.setHeader === 'function') node.setHeader(name, value);
}
