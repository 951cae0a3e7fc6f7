import type { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { now } from '../common/clock.js';
import { type Dependent, Scope } from '../context/scope.js';
import { sendsEvents, type Transport } from '../dispatch/handlers.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import type { Inbound } from './inbound.js';
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
 * A request, as the calls made to answer it see it: it ends when the client goes away, and has the
 * deadline and the criticality that the client gave it. It listens for the client's end only when
 * somebody wants to know.
 */
export class ClientScope extends Scope {
  private stopListening: (() => void) | undefined = undefined;

  constructor(
    private readonly connection: Connection,
    private readonly inbound: Inbound | undefined,
  ) {
    super(
      1,
      undefined,
      inbound?.expiresAt ?? Number.POSITIVE_INFINITY,
      inbound?.timeoutMs ?? Number.POSITIVE_INFINITY,
    );
  }

  override get critical(): boolean | undefined {
    return this.inbound?.critical;
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

  /** In time, at least in part: the deadline holds no more for what still runs. */
  answered(): void {
    if (!this.aborted) this.expiresAt = Number.POSITIVE_INFINITY;
  }

  override end(): void {
    if (this.connection.isGone()) this.leave();
    this.stopListening?.();
    if (!this.aborted) super.end(); // nothing starts any more for a client that has gone
  }

  private listen(): void {
    if (this.stopListening !== undefined || this.over || this.aborted) return;
    const { emitter, goneEvent } = this.connection;
    if (this.connection.isGone()) this.leave();
    else this.stopListening = onGone(emitter, goneEvent, () => this.leave());
  }

  private leave(): void {
    if (this.connection.isOver()) return;
    this.abort(
      this.isTimeUp()
        ? new TimeoutError(this.timeoutMs)
        : new DOMException('The client went away', 'AbortError'),
    );
  }

  /**
   * A client with a deadline leaves at it, and may be heard to leave a little before its time is up
   * here: that is a deadline, of which breakers learn, and no lost interest.
   */
  private isTimeUp(): boolean {
    const leftMs = this.expiresAt - now();
    return leftMs <= this.timeoutMs / 10 && this.expiresAt !== Number.POSITIVE_INFINITY;
  }
}

/** The scope of a call by a client; `undefined` where nothing tells that the client has gone. */
export function clientScopeOf(
  context: ExecutionContext,
  transport: Transport,
  inbound: Inbound | undefined,
): ClientScope | undefined {
  const connection = connectionOf(context, transport);
  return connection && new ClientScope(connection, inbound);
}

function connectionOf(host: ExecutionContext, transport: Transport): Connection | undefined {
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

/** The calls that wait at a connection, and the one listener that serves them all. */
interface Waiting {
  callbacks: Set<() => void>;
  onEvent: () => void;
}

const waiting = new WeakMap<EventEmitter, Waiting>();

/** However many calls wait at one connection (messages, GraphQL fields), it has one listener of ours. */
function onGone(emitter: EventEmitter, event: string, callback: () => void): () => void {
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
