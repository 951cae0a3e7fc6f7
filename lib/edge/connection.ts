import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { sendsEvents, type Transport } from '../dispatch/handlers.js';
import { grpcCallOf } from './transport.js';

/** What a client waits at: it says when the client has gone. */
export interface Connection {
  readonly emitter: EventEmitter;
  readonly goneEvent: string;
  /** Whether that event is the ordinary end, and nobody has left. */
  isOver(): boolean;
  /** Whether the event has been, because the client left while a guard was asked. */
  isGone(): boolean;
  /** Whether the answer has begun. */
  isCommitted(): boolean;
}

/** What the client of a call waits at; `undefined` where nothing tells that it has gone. */
export function connectionOf(host: ExecutionContext, transport: Transport): Connection | undefined {
  if (transport === 'http') {
    const connection = httpConnection(host.switchToHttp().getResponse());
    // An event stream sends its headers before it has anything to say.
    return connection && sendsEvents(host.getHandler())
      ? { ...connection, isCommitted: () => false }
      : connection;
  }
  if (transport === 'graphql') {
    const context = host.getArgByIndex<GraphQLContext | undefined>(2);
    const answer = httpConnection(context?.res ?? context?.reply ?? context?.req?.res);
    return answer ?? requestConnection(context?.req?.raw);
  }
  if (transport === 'ws') return socketConnection(host.switchToWs().getClient());
  return transport === 'grpc' ? grpcConnection(grpcCallOf(host)) : undefined;
}

/** Where the usual GraphQL contexts keep the response; on Fastify the default one has only the request. */
interface GraphQLContext {
  res?: unknown;
  reply?: unknown;
  req?: { res?: unknown; raw?: RawRequest };
}

/** The stream is that of HTTP/2. */
type RawRequest = Partial<Record<'stream' | 'socket', EventEmitter & { destroyed: boolean }>>;

function httpConnection(answer: unknown): Connection | undefined {
  const response = ((answer as { raw?: unknown } | undefined)?.raw ?? answer) as
    | (ServerResponse & { stream?: { destroyed: boolean } }) // of HTTP/2
    | undefined; // Fastify wraps it
  if (typeof response?.once !== 'function') return undefined;
  return {
    emitter: response,
    goneEvent: 'close',
    isOver: () => response.writableEnded,
    isGone: () => response.destroyed || response.stream?.destroyed === true,
    isCommitted: () => response.headersSent,
  };
}

function requestConnection(request: RawRequest | undefined): Connection | undefined {
  const line = request?.stream ?? request?.socket;
  return connection(line, 'close', () => line?.destroyed === true);
}

/** A native WebSocket has a `readyState` and closes; a socket of Socket.IO disconnects. */
function socketConnection(client: Socket | undefined): Connection | undefined {
  if (typeof client?.readyState === 'number')
    return connection(client, 'close', () => client.readyState === CLOSED);
  return connection(client, 'disconnect', () => client?.disconnected === true);
}

interface Socket {
  readyState?: unknown;
  disconnected?: unknown;
}

const CLOSED = 3;

function grpcConnection(call: unknown): Connection | undefined {
  return connection(call, 'cancelled', () => (call as { cancelled?: unknown }).cancelled === true);
}

function connection(
  emitter: unknown,
  goneEvent: string,
  isGone = () => false,
): Connection | undefined {
  if (typeof (emitter as EventEmitter | undefined)?.once !== 'function') return undefined;
  return {
    emitter: emitter as EventEmitter,
    goneEvent,
    isOver: () => false,
    isGone,
    isCommitted: () => false,
  };
}
