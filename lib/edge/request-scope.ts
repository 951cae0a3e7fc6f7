import { currentScope } from '../context/ambient.js';
import { ClientScope } from './client-scope.js';
import { type RawResponse, ResponseConnection, rawResponse } from './connection.js';
import { inboundOfRequest, type Sender } from './inbound.js';
import type { ResolvedInboundOptions } from './inbound.options.js';
import type { Seat } from './request-shedding.js';
import { isSafeRequest } from './safe-call.js';

/** A request of HTTP, from before the application's own middleware to the end of its response. */
export class RequestScope extends ClientScope {
  private readonly exchange: ResponseConnection;
  /** Its place among the requests in flight, where these are counted. */
  seat: Seat | undefined = undefined;

  /** @param response as Nest hands it on, of Express or Fastify */
  constructor(
    private readonly request: Sender | undefined,
    readonly response: unknown,
    raw: RawResponse,
    options: ResolvedInboundOptions,
  ) {
    const exchange = new ResponseConnection(raw);
    super(exchange, inboundOfRequest(request, options));
    this.exchange = exchange;
  }

  override get repeatable(): boolean {
    return isSafeRequest(this.request);
  }

  get headersSent(): boolean {
    return this.exchange.headersSent;
  }

  /** Whether the answer has begun and is not at its end: what a handler that has ended leaves so is a stream. */
  get flows(): boolean {
    return this.exchange.headersSent && !this.exchange.isOver();
  }

  /** What answers it is an event stream, which may never end. */
  sendEvents(): void {
    this.exchange.sendsEvents = true;
    this.seat?.leave();
  }
}

/**
 * The scope of a request, which is made here where this code is in that of none: the request came in by
 * a way of its own, or its async context was lost. `undefined` where nothing tells that its client has
 * gone.
 */
export function requestScopeOf(
  request: unknown,
  response: unknown,
  options: ResolvedInboundOptions,
): RequestScope | undefined {
  const around = scopeAround(response);
  if (around !== undefined) return around;
  const raw = rawResponse(response);
  return raw && new RequestScope(request as Sender, response, raw, options);
}

/** The scope of a request that this code is in. (A mark on the response would cost more, above all on Express.) */
export function scopeAround(response: unknown): RequestScope | undefined {
  for (let scope = currentScope(); scope !== undefined; scope = scope.around)
    if (scope instanceof RequestScope && scope.response === response) return scope;
  return undefined;
}
