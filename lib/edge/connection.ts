import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { sendsEvents, type Transport } from '../nest/handlers.js';
import { grpcCallOf } from './transport.js';

/** What a client waits at: it says when the client has gone. */
export interface Connection {
  /** Whether other calls (messages, GraphQL fields) wait at it as well. */
  readonly isShared: boolean;
  /**
   * Calls back once, when the client has gone or the connection has come to its ordinary end.
   *
   * @returns stops listening; `undefined` where there is no need to, because it ends with the answer
   */
  onEnd(callback: () => void): (() => void) | undefined;
  /** Whether its end is the ordinary one, and nobody has left. */
  isOver(): boolean;
  /** Whether it has ended, because the client left while a guard was asked. */
  isGone(): boolean;
  /** Whether the answer has begun. */
  isCommitted(): boolean;
}

/** What the client of a call waits at; `undefined` where nothing tells that it has gone. */
export function connectionOf(host: ExecutionContext, transport: Transport): Connection | undefined {
  if (transport === 'http') {
    const connection = responseConnection(host.switchToHttp().getResponse(), false);
    if (connection !== undefined) connection.sendsEvents = sendsEvents(host.getHandler());
    return connection;
  }
  if (transport === 'graphql') {
    const context = host.getArgByIndex<GraphQLContext | undefined>(2);
    const answer = responseConnection(context?.res ?? context?.reply ?? context?.req?.res, true);
    return answer ?? requestConnection(context?.req?.raw);
  }
  if (transport === 'ws') return socketConnection(host.switchToWs().getClient());
  return transport === 'grpc' ? grpcConnection(grpcCallOf(host)) : MESSAGE;
}

/** Who has sent a message is never heard to leave. */
const MESSAGE: Connection = {
  isShared: true,
  onEnd: () => undefined,
  isOver: () => false,
  isGone: () => false,
  isCommitted: () => false,
};

/** Where the usual GraphQL contexts keep the response; on Fastify the default one has only the request. */
interface GraphQLContext {
  res?: unknown;
  reply?: unknown;
  req?: { res?: unknown; raw?: RawRequest };
}

/** The stream is that of HTTP/2. */
type RawRequest = Partial<Record<'stream' | 'socket', EventEmitter & { destroyed: boolean }>>;

export type RawResponse = ServerResponse & { stream?: { destroyed: boolean } }; // of HTTP/2

/** The response of Node in one of Express or Fastify; `undefined` where there is none to listen to. */
export function rawResponse(response: unknown): RawResponse | undefined {
  const raw = ((response as { raw?: unknown } | undefined)?.raw ?? response) as
    | RawResponse
    | undefined; // Fastify wraps it
  return typeof raw?.once === 'function' ? raw : undefined;
}

function responseConnection(response: unknown, isShared: boolean): ResponseConnection | undefined {
  const raw = rawResponse(response);
  return raw && new ResponseConnection(raw, isShared);
}

/** That of a request of HTTP. There is one for each: it has no functions of its own. */
export class ResponseConnection implements Connection {
  /** An event stream sends its headers before it has anything to say. */
  sendsEvents = false;

  constructor(
    private readonly response: RawResponse,
    readonly isShared = false,
  ) {}

  onEnd(callback: () => void): (() => void) | undefined {
    if (this.isShared) return listenTogether(this.response, 'close', callback);
    this.response.on('close', callback);
    return undefined;
  }

  isOver(): boolean {
    return this.response.writableEnded;
  }

  isGone(): boolean {
    return this.response.destroyed || this.response.stream?.destroyed === true;
  }

  isCommitted(): boolean {
    return !this.sendsEvents && this.headersSent;
  }

  get headersSent(): boolean {
    return this.response.headersSent;
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
    isShared: true,
    onEnd: (callback) => listenTogether(emitter as EventEmitter, goneEvent, callback),
    isOver: () => false,
    isGone,
    isCommitted: () => false,
  };
}

/** The calls that wait at a connection, and the one listener that serves them all. */
interface Waiting {
  callbacks: Set<() => void>;
  onEvent: () => void;
}

const waiting = new WeakMap<EventEmitter, Waiting>();

/** However many calls wait at one connection (messages, GraphQL fields), it has one listener of ours. */
function listenTogether(emitter: EventEmitter, event: string, callback: () => void): () => void {
  const { callbacks, onEvent } = waiting.get(emitter) ?? listenAt(emitter, event);
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    waiting.delete(emitter);
    emitter.off(event, onEvent);
  };
}

function listenAt(emitter: EventEmitter, event: string): Waiting {
  const callbacks = new Set<() => void>();
  const onEvent = () => {
    waiting.delete(emitter);
    const all = [...callbacks];
    callbacks.clear();
    for (const each of all) each();
  };
  const listening = { callbacks, onEvent };
  waiting.set(emitter, listening);
  emitter.once(event, onEvent);
  return listening;
}
