import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { sendsEvents, type Transport } from '../dispatch/handlers.js';
import { grpcCallOf } from './transport.js';

/** What a client waits at: it says when the client has gone. */
export interface Connection {
  readonly emitter: EventEmitter;
  readonly goneEvent: string;
  /** Whether other calls (messages, GraphQL fields) wait at the same emitter. */
  readonly isShared: boolean;
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
    // An event stream sends its headers before it has anything to say.
    const isStream = sendsEvents(host.getHandler());
    return httpConnection(host.switchToHttp().getResponse(), false, isStream);
  }
  if (transport === 'graphql') {
    const context = host.getArgByIndex<GraphQLContext | undefined>(2);
    const answer = httpConnection(context?.res ?? context?.reply ?? context?.req?.res, true);
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

type Response = ServerResponse & { stream?: { destroyed: boolean } }; // of HTTP/2

function httpConnection(
  answer: unknown,
  isShared: boolean,
  isStream = false,
): Connection | undefined {
  const response = ((answer as { raw?: unknown } | undefined)?.raw ?? answer) as
    | Response
    | undefined; // Fastify wraps it
  return typeof response?.once === 'function'
    ? new HttpConnection(response, isShared, isStream)
    : undefined;
}

/** There is one for each request: it has no functions of its own. */
class HttpConnection implements Connection {
  readonly goneEvent = 'close';

  constructor(
    readonly emitter: Response,
    readonly isShared: boolean,
    private readonly isStream: boolean,
  ) {}

  isOver(): boolean {
    return this.emitter.writableEnded;
  }

  isGone(): boolean {
    return this.emitter.destroyed || this.emitter.stream?.destroyed === true;
  }

  isCommitted(): boolean {
    return !this.isStream && this.emitter.headersSent;
  }
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
    isShared: true,
    isOver: () => false,
    isGone,
    isCommitted: () => false,
  };
}
