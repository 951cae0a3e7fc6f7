import type { ExecutionContext } from '@nestjs/common';
import { now } from '../common/clock.js';
import { onNextTurn } from '../common/next-turn.js';
import { CallContext } from '../context/ambient.js';
import type { Dependent } from '../context/dependent.js';
import { Scope } from '../context/scope.js';
import { TimeoutError } from '../context/timeout.error.js';
import type { Transport } from '../nest/handlers.js';
import { type Connection, connectionOf } from './connection.js';
import type { Inbound } from './inbound.js';
import { isSafeCall } from './safe-call.js';

/**
 * A request, as the calls made to answer it see it: it ends when the client goes away, and has the
 * deadline and the criticality that the client gave it. It listens for the client's end only when
 * somebody wants to know.
 *
 * It is over when no handler of it runs and its response is closed, be it that the client has gone:
 * what was made in it and lives on (a connection, an interval) serves other requests.
 */
export class ClientScope extends Scope {
  private isListening = false;
  private stopListening: (() => void) | undefined = undefined;
  /** Where the listeners of its signal are told of the end: the event comes in the context of the connection. */
  private context: CallContext | undefined = undefined;
  /** How many handlers run for it: one may pass it on to another. */
  private running = 0;

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
    return this.inbound?.trusted === false && this.isLimited;
  }

  /**
   * The response is looked at only when somebody asks: to listen to each would cost more. What a route
   * returned may be a stream that is still sent; what comes over a shared connection is whole.
   */
  override get over(): boolean {
    const { running, connection } = this;
    return running === 0 && (connection.isShared || connection.isOver() || connection.isGone());
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

  /** Whether its client has given it a deadline that still holds. */
  get isLimited(): boolean {
    return this.expiresAt !== Number.POSITIVE_INFINITY;
  }

  override get signal(): AbortSignal {
    this.context ??= new CallContext();
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

  /** Whether a handler runs to answer it. */
  get isHandled(): boolean {
    return this.running > 0;
  }

  /** A handler begins to answer it. Where it is the second one, the deadline holds for that too. */
  begin(): void {
    this.running++;
    if (!this.aborted) this.expiresAt = this.inbound?.expiresAt ?? Number.POSITIVE_INFINITY;
  }

  /** That handler has settled, or was cut at the deadline. */
  override end(): void {
    if (this.isListening && !this.aborted && this.connection.isGone()) this.leave();
    // What it does in reaction to an abort is for nobody any more.
    if (this.aborted) onNextTurn(() => this.settled());
    else this.settled();
  }

  private settled(): void {
    this.running--;
    if (this.stopListening !== undefined && this.over) this.stopListening();
  }

  private listen(): void {
    if (this.isListening || this.over || this.aborted) return;
    if (this.connection.isGone()) {
      this.leave();
      return;
    }
    this.isListening = true;
    this.stopListening = this.connection.onEnd(() => this.leave());
  }

  private leave(): void {
    if (this.connection.isOver()) return;
    const reason = this.isTimeUp() ? this.outOfTime() : clientGone();
    if (this.context === undefined) this.abort(reason);
    else this.context.runInAsyncScope(this.abort, this, reason);
    if (this.running > 0) return;
    this.running++; // what still sends the answer reacts to the abort
    this.end();
  }

  /**
   * A client with a deadline leaves at it, and may be heard to leave a little before its time is up
   * here: that is a deadline, and no lost interest.
   */
  private isTimeUp(): boolean {
    const leftMs = this.expiresAt - now();
    return leftMs <= this.timeoutMs / 10 && this.isLimited;
  }
}

const reasons = new WeakSet<object>();

function clientGone(): DOMException {
  const reason = new DOMException('The client went away', 'AbortError');
  reasons.add(reason);
  return reason;
}

/** Whether an error says that a client has gone. */
export function isClientGone(error: unknown): boolean {
  return reasons.has(error as object);
}

/** The scope of a call by a client; `undefined` where nothing tells that the client has gone. */
export function clientScopeOf(
  context: ExecutionContext,
  transport: Transport,
  inbound: Inbound | undefined,
): ClientScope | undefined {
  const connection = connectionOf(context, transport);
  const scope = connection && new ClientScope(connection, inbound, context);
  scope?.begin();
  return scope;
}
