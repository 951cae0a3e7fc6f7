import { ClientScope } from './client-scope.js';
import { ResponseConnection, rawResponse } from './connection.js';
import { inboundOfRequest, type Sender } from './inbound.js';
import type { ResolvedInboundOptions } from './inbound.options.js';
import { isSafeRequest } from './safe-call.js';

const SCOPE = Symbol('nestjs-bulwark:request-scope');

type Carrier = { [SCOPE]?: RequestScope };

/** A request of HTTP, from before the application's own middleware to the end of its response. */
export class RequestScope extends ClientScope {
  constructor(
    private readonly request: Sender | undefined,
    private readonly exchange: ResponseConnection,
    options: ResolvedInboundOptions,
  ) {
    super(exchange, inboundOfRequest(request, options));
  }

  override get repeatable(): boolean {
    return isSafeRequest(this.request);
  }

  get headersSent(): boolean {
    return this.exchange.headersSent;
  }

  /** A handler begins to answer it. */
  override begin(sendsEvents = false): void {
    this.exchange.sendsEvents = sendsEvents;
    super.begin();
  }
}

/** Makes the scope of a request; `undefined` where nothing tells that its client has gone. */
export function openRequestScope(
  request: unknown,
  response: unknown,
  options: ResolvedInboundOptions,
): RequestScope | undefined {
  const raw = rawResponse(response);
  if (raw === undefined) return undefined;
  const scope = new RequestScope(request as Sender, new ResponseConnection(raw), options);
  (raw as Carrier)[SCOPE] = scope;
  return scope;
}

/** The scope that was made for the request of a response. */
export function requestScopeOf(response: unknown): RequestScope | undefined {
  return (rawResponse(response) as Carrier | undefined)?.[SCOPE];
}
