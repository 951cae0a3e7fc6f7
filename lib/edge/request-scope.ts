import type { AnyMethod, Class } from '../dispatch/method-definition.js';
import { ClientScope } from './client-scope.js';
import { ResponseConnection, rawResponse } from './connection.js';
import { inboundOfRequest, type Sender } from './inbound.js';
import type { ResolvedInboundOptions } from './inbound.options.js';
import { isSafeRequest } from './safe-call.js';

const SCOPE = Symbol('nestjs-bulwark:request-scope');

type Carrier = { [SCOPE]?: RequestScope };

/** What answers a request. */
export interface Handling {
  readonly type: Class;
  readonly handler: AnyMethod;
  readonly sendsEvents: boolean;
}

/** A request of HTTP, from before the application's own middleware to the end of its response. */
export class RequestScope extends ClientScope {
  /** The last one that has begun to answer it. */
  handling: Handling | undefined = undefined;

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

  beginBy(handling: Handling): void {
    this.handling = handling;
    this.exchange.sendsEvents = handling.sendsEvents;
    this.begin();
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
