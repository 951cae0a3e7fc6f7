import type { EventEmitter } from 'node:events';
import type { ExecutionContext } from '@nestjs/common';
import { now } from '../common/clock.js';
import { onNextTurn } from '../common/next-turn.js';
import { CallContext } from '../context/ambient.js';
import { type Dependent, Scope } from '../context/scope.js';
import type { Transport } from '../dispatch/handlers.js';
import { TimeoutError } from '../timeout/timeout.error.js';
import { type Connection, connectionOf } from './connection.js';
import type { Inbound } from './inbound.js';
import { isSafeCall } from './safe-call.js';

/**
 * A request, as the calls made to answer it see it: it ends when the client goes away, and has the
 * deadline and the criticality that the client gave it. It listens for the client's end only when
 * somebody wants to know.
 *
 * It is over when its handler has settled and its response is closed, be it that the client has gone:
 * what was made in it and lives on (a connection, an interval) serves other requests.
 */
export class ClientScope extends Scope {
  private stopListening: (() => void) | undefined = undefined;
  private handled = false;

  constructor(
    private readonly connection: Connection,
    private readonly inbound: Inbound | undefined,
    private readonly host?: ExecutionContext,
  ) {
    super(
      1,
      undefined,
      inbound?.expiresAt ?? Number.POSITIVE_INFINITY,
      inbound?.timeoutMs ?? Number.POSITIVE_INFINITY,
    );
  }

  override get impatient(): boolean {
    return this.inbound?.trusted === false && this.expiresAt !== Number.POSITIVE_INFINITY;
  }

  /**
   * The response is looked at only when somebody asks: to listen to each would cost more. What a route
   * returned may be a stream that is still sent; what comes over a shared connection is whole.
   */
  override get over(): boolean {
    const { handled, connection } = this;
    return handled && (connection.isShared || connection.isOver() || connection.isGone());
  }

  override get repeatable(): boolean {
    return this.host !== undefined && isSafeCall(this.host);
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
    if (this.aborted)
      dependent.cancel(this.reason); // it has just been found out
    else super.adopt(dependent);
  }

  /** Its time is up, and that of whatever else answers the same request. */
  expire(): TimeoutError {
    const error = this.outOfTime();
    if (this.inbound !== undefined)
      this.inbound.expiresAt = Math.min(this.inbound.expiresAt, now());
    this.abort(error);
    return error;
  }

  /** Whether the client has gone without its answer. */
  get isForNobody(): boolean {
    return this.connection.isGone() && !this.connection.isOver();
  }

  /** In time, at least in part: the deadline holds no more for what still runs. */
  answered(): void {
    if (!this.aborted) this.expiresAt = Number.POSITIVE_INFINITY;
  }

  /** Its handler has settled, or was cut at the deadline. */
  override end(): void {
    if (!this.aborted && this.connection.isGone()) this.leave();
    // What it does in reaction to an abort is for nobody any more.
    if (this.aborted) onNextTurn(() => this.wasHandled());
    else this.wasHandled();
  }

  private wasHandled(): void {
    this.handled = true;
    if (this.over) this.stopListening?.();
  }

  private listen(): void {
    if (this.stopListening !== undefined || this.over || this.aborted) return;
    if (this.connection.isGone()) {
      this.leave();
      return;
    }
    const { emitter, goneEvent, isShared } = this.connection;
    // The event comes in the context of the connection; who listens is in that of the request.
    const context = new CallContext();
    const onEvent = () => context.runInAsyncScope(this.leave, this);
    if (isShared) {
      this.stopListening = onGone(emitter, goneEvent, onEvent);
    } else {
      emitter.on(goneEvent, onEvent);
      // Assigned where it is written, V8 would put it, and with it the whole request, in the old generation.
      const stopListening = () => emitter.off(goneEvent, onEvent);
      this.stopListening = stopListening;
    }
  }

  private leave(): void {
    if (this.connection.isOver()) return;
    this.abort(
      this.isTimeUp() ? this.outOfTime() : new DOMException('The client went away', 'AbortError'),
    );
    if (!this.handled) return;
    this.handled = false; // what still sends the answer reacts to the abort
    this.end();
  }

  /**
   * A client with a deadline leaves at it, and may be heard to leave a little before its time is up
   * here: that is a deadline, and no lost interest.
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
  return connection && new ClientScope(connection, inbound, context);
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
