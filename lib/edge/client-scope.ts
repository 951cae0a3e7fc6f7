import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ArgumentsHost } from '@nestjs/common';
import { type Dependent, Scope } from '../context/scope.js';
import type { Transport } from '../dispatch/handlers.js';
import { grpcCallOf } from './transport.js';

/** What a client waits at: it says when the client has gone. */
interface Connection {
  readonly emitter: EventEmitter;
  readonly goneEvent: string;
  /** Whether that event is the ordinary end, and nobody has left. */
  isOver(): boolean;
  /** Whether the event has been, because the client left while a guard was asked. */
  isGone(): boolean;
  /** Whether the answer has begun. */
  isCommitted(): boolean;
}

/**
 * A request, as the calls made to answer it see it: it ends when the client goes away. It listens
 * for that only when somebody wants to know.
 */
export class ClientScope extends Scope {
  private stopListening: (() => void) | undefined = undefined;

  constructor(private readonly connection: Connection) {
    super(1, undefined, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  override get committed(): boolean {
    return this.connection.isCommitted();
  }

  override get signal(): AbortSignal {
    this.listen();
    return super.signal;
  }

  override adopt(dependent: Dependent): void {
    this.listen();
    super.adopt(dependent);
  }

  override end(): void {
    super.end();
    this.stopListening?.();
  }

  private listen(): void {
    if (this.stopListening !== undefined || this.over || this.aborted) return;
    const { connection } = this;
    const leave = () => {
      if (!connection.isOver()) this.abort(new DOMException('The client went away', 'AbortError'));
    };
    if (connection.isGone()) leave();
    else this.stopListening = onGone(connection.emitter, connection.goneEvent, leave);
  }
}

/** The scope of a call by a client; `undefined` where nothing tells that the client has gone. */
export function clientScopeOf(host: ArgumentsHost, transport: Transport): ClientScope | undefined {
  const connection = connectionOf(host, transport);
  return connection && new ClientScope(connection);
}

function connectionOf(host: ArgumentsHost, transport: Transport): Connection | undefined {
  if (transport === 'http') return httpConnection(host.switchToHttp().getResponse());
  if (transport === 'graphql') {
    const context = host.getArgByIndex<GraphQLContext | undefined>(2);
    return httpConnection(context?.res ?? context?.reply ?? context?.req?.res);
  }
  if (transport === 'ws') return socketConnection(host.switchToWs().getClient());
  return transport === 'grpc' ? grpcConnection(grpcCallOf(host)) : undefined;
}

/** Where the usual GraphQL contexts keep the response. */
interface GraphQLContext {
  res?: unknown;
  reply?: unknown;
  req?: { res?: unknown };
}

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

/** A native WebSocket has a `readyState` and closes; a socket of Socket.IO disconnects. */
function socketConnection(client: unknown): Connection | undefined {
  const isNative = typeof (client as { readyState?: unknown } | undefined)?.readyState === 'number';
  return connection(client, isNative ? 'close' : 'disconnect');
}

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

const waiting = new WeakMap<EventEmitter, Set<() => void>>();

/** However many calls wait at one connection (messages, GraphQL fields), it has one listener of ours. */
function onGone(emitter: EventEmitter, event: string, callback: () => void): () => void {
  let callbacks = waiting.get(emitter);
  if (callbacks === undefined) {
    const all = new Set<() => void>();
    waiting.set(emitter, all);
    emitter.once(event, () => {
      waiting.delete(emitter);
      for (const each of all) each();
    });
    callbacks = all;
  }
  const joined = callbacks.add(callback);
  return () => joined.delete(callback);
}
