import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  type NestInterceptor,
} from '@nestjs/common';
import { Observable } from 'rxjs';
import { isDeadline, runInScope } from '../context/ambient.js';
import { answersByPromise, sendsEvents, type Transport } from '../dispatch/handlers.js';
import { type ClientScope, clientScopeOf } from './client-scope.js';
import { httpError, transportError } from './edge-errors.js';
import { inboundOf } from './inbound.js';
import {
  type InboundOptions,
  type ResolvedInboundOptions,
  resolveInboundOptions,
} from './inbound.options.js';
import { mapStreamErrors } from './map-stream-errors.js';
import { forbidRetry, isRetried, withPushback } from './no-retry.js';
import { transportOfCall } from './transport.js';
import { withinDeadline } from './within-deadline.js';

/** nginx's code for a client that has gone: nobody reads the answer. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * The edge of an application: it gives the calls made for a client the client's end and deadline,
 * ends the handler at that deadline, and turns resilience errors that leave it into those of the
 * transport. An answer whose failure was retried to the end already says so. (Decorated handlers run
 * their pipeline themselves, like any decorated method.)
 */
export class ResilienceInterceptor implements NestInterceptor {
  private readonly inbound: ResolvedInboundOptions;

  constructor(
    private readonly mapErrors: boolean,
    inbound?: InboundOptions,
  ) {
    this.inbound = resolveInboundOptions(inbound);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const transport = transportOfCall(context);
    if (transport === undefined) return next.handle();
    const inbound = inboundOf(context, transport, this.inbound);
    const scope = clientScopeOf(context, transport, inbound);
    const handler = runInScope(scope, () => next.handle());
    const handled =
      scope === undefined || scope.expiresAt === Number.POSITIVE_INFINITY
        ? handler
        : withinDeadline(handler, scope, transport === 'grpc' || sendsEvents(context.getHandler()));
    if (transport !== 'http')
      return this.onTransport(inScope(handled, scope, context), transport, scope);
    const response: unknown = context.switchToHttp().getResponse();
    return inScope(handled, scope, context, (error) => this.http(error, scope, response));
  }

  /** What a client of HTTP sees. */
  private http(error: unknown, scope: ClientScope | undefined, response: unknown): unknown {
    if (isRetried(error, scope)) forbidRetry(response);
    if (scope?.aborted && error === scope.reason && !isDeadline(error)) {
      return new HttpException('Client Closed Request', CLIENT_CLOSED_REQUEST);
    }
    return this.mapErrors && !scope?.committed ? httpError(error, response) : error;
  }

  private onTransport(
    handled: Observable<unknown>,
    transport: Exclude<Transport, 'http'>,
    scope: ClientScope | undefined,
  ): Observable<unknown> {
    return this.mapErrors || transport === 'grpc'
      ? handled.pipe(mapStreamErrors((error) => this.mapped(error, transport, scope)))
      : handled;
  }

  private async mapped(
    error: unknown,
    transport: Exclude<Transport, 'http'>,
    scope: ClientScope | undefined,
  ): Promise<Error | undefined> {
    const mapped = this.mapErrors ? await transportError(error, transport) : undefined;
    if (transport !== 'grpc' || !isRetried(error, scope)) return mapped;
    return (await withPushback(mapped ?? error, this.mapErrors)) ?? mapped;
  }
}

/**
 * What a handler's Observable does when it is subscribed to belongs to the call as well. The scope ends
 * when the handler has settled.
 *
 * @param map what becomes of an error. (Not by an operator: there is one of these for each request.)
 */
function inScope<T>(
  values: Observable<T>,
  scope: ClientScope | undefined,
  context: ExecutionContext,
  map: (error: unknown) => unknown = (error) => error,
): Observable<T> {
  if (scope === undefined) return values;
  return new Observable((subscriber) => {
    let settled = false;
    const settle = () => {
      settled = true;
      scope.end();
    };
    const subscription = runInScope(scope, () =>
      values.subscribe({
        next: (value) => subscriber.next(value),
        error: (error) => {
          settle();
          subscriber.error(map(error));
        },
        complete: () => {
          settle();
          subscriber.complete();
        },
      }),
    );
    return () => {
      // Unsubscribing ends an Observable, but not an async function: it goes on, and tells its end here.
      if (settled || (scope.isForNobody && answersByPromise(context))) return;
      subscription.unsubscribe();
      settle();
    };
  });
}
