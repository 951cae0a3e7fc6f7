import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { catchError, defer, isObservable, mergeMap, type Observable, of, throwError } from 'rxjs';
import type { AnyMethod } from '../common/class.js';
import { runInScope } from '../context/ambient.js';
import { answersByPromise, type Transport } from '../nest/handlers.js';
import type { CallShedding } from './call-shedding.js';
import { type ClientScope, clientScopeOf } from './client-scope.js';
import { httpError, transportError } from './edge-errors.js';
import { HttpEdge } from './http-edge.js';
import { inScope } from './in-scope.js';
import { inboundOf } from './inbound.js';
import {
  type InboundOptions,
  type ResolvedInboundOptions,
  resolveInboundOptions,
} from './inbound.options.js';
import { mapStreamErrors } from './map-stream-errors.js';
import { isRetried, withAdvice } from './no-retry.js';
import { scopeAround } from './request-scope.js';
import { transportOfCall } from './transport.js';
import { withinDeadline } from './within-deadline.js';

/**
 * The edge of an application for all transports but HTTP, whose routes have one without an interceptor:
 * it gives the calls made for a client the client's end and deadline, ends the handler at that deadline,
 * and turns resilience errors that leave it into those of the transport. An answer whose failure was
 * retried to the end already says so. (Decorated handlers run their pipeline themselves, like any
 * decorated method.)
 */
export class ResilienceInterceptor implements NestInterceptor {
  private readonly inbound: ResolvedInboundOptions;

  constructor(
    private readonly mapErrors: boolean,
    inbound?: InboundOptions,
    private readonly shedding?: CallShedding,
  ) {
    this.inbound = resolveInboundOptions(inbound);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const transport = transportOfCall(context);
    if (transport === undefined) return next.handle();
    if (transport === 'http') return this.onHttp(context, next);
    const inbound = inboundOf(context, transport, this.inbound);
    const { shedding } = this;
    const scope = clientScopeOf(context, transport, inbound);
    const handle = () => runInScope(scope, () => next.handle());
    const answer =
      shedding !== undefined && isOfMicroservice(transport)
        ? shedding.around(context, inbound, handle)
        : handle();
    if (scope === undefined) return this.onTransport(answer, transport, scope);
    const handled = scope.isLimited
      ? withinDeadline(answer, scope, isOfMicroservice(transport))
      : answer;
    const isPromised = () => answersByPromise(context.getClass(), context.getHandler());
    const inside = inScope(handled, scope, isPromised, (error) => error);
    return this.onTransport(inside, transport, scope);
  }

  /** Where it is called by hand. A route has the edge of its application already. */
  private onHttp(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const [request, response] = context.getArgs<[unknown, unknown]>();
    if (scopeAround(response)?.isHandled) return next.handle();
    const edge = new HttpEdge(this.inbound, this.mapErrors);
    const route = edge.routeEdge(context.getClass(), context.getHandler() as AnyMethod);
    const answer = defer(() => route.answer(request, response, async () => next.handle()));
    const values = answer.pipe(mergeMap((each) => (isObservable(each) ? each : of(each))));
    return this.mapErrors
      ? values.pipe(catchError((error: unknown) => throwError(() => httpError(error, response))))
      : values;
  }

  private onTransport(
    handled: Observable<unknown>,
    transport: Exclude<Transport, 'http'>,
    scope: ClientScope | undefined,
  ): Observable<unknown> {
    return this.mapErrors || isOfMicroservice(transport)
      ? handled.pipe(mapStreamErrors((error) => this.mapped(error, transport, scope)))
      : handled;
  }

  private async mapped(
    error: unknown,
    transport: Exclude<Transport, 'http'>,
    scope: ClientScope | undefined,
  ): Promise<Error | undefined> {
    const mapped = this.mapErrors ? await transportError(error, transport) : undefined;
    if (!isOfMicroservice(transport) || !isRetried(error, scope)) return mapped;
    return (await withAdvice(mapped ?? error, transport, this.mapErrors)) ?? mapped;
  }
}

/** There, handlers answer by streams of values, and errors can tell what HTTP tells by headers. */
function isOfMicroservice(transport: Transport): transport is 'rpc' | 'grpc' {
  return transport === 'rpc' || transport === 'grpc';
}
