import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  type NestInterceptor,
} from '@nestjs/common';
import { catchError, finalize, Observable, throwError } from 'rxjs';
import { runInScope } from '../context/ambient.js';
import type { Transport } from '../dispatch/handlers.js';
import { type ClientScope, clientScopeOf } from './client-scope.js';
import { httpError, transportError } from './edge-errors.js';
import { mapStreamErrors } from './map-stream-errors.js';
import { transportOfCall } from './transport.js';

/** nginx's code for a client that has gone: nobody reads the answer. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * The edge of an application: it gives the calls made for a client the client's end, and turns
 * resilience errors that leave a handler into those of the transport. (Decorated handlers run their
 * pipeline themselves, like any decorated method.)
 */
export class ResilienceInterceptor implements NestInterceptor {
  constructor(private readonly mapErrors: boolean) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const transport = transportOfCall(context);
    if (transport === undefined) return next.handle();
    const scope = clientScopeOf(context, transport);
    const handler = runInScope(scope, () => next.handle());
    // What a handler's Observable does when it is subscribed to belongs to the call as well.
    const handled = new Observable((subscriber) =>
      runInScope(scope, () => handler.subscribe(subscriber)),
    );
    if (transport !== 'http') return this.onTransport(handled, transport, scope);
    const response = context.switchToHttp().getResponse<unknown>();
    return handled.pipe(catchError((error) => throwError(() => this.http(error, scope, response))));
  }

  /** What a client of HTTP sees. Its scope goes on: the answer may be a stream that is still sent. */
  private http(error: unknown, scope: ClientScope | undefined, response: unknown): unknown {
    if (scope?.aborted && error === scope.reason) {
      return new HttpException('Client Closed Request', CLIENT_CLOSED_REQUEST);
    }
    return this.mapErrors && !scope?.committed ? httpError(error, response) : error;
  }

  private onTransport(
    handled: Observable<unknown>,
    transport: Exclude<Transport, 'http'>,
    scope: ClientScope | undefined,
  ): Observable<unknown> {
    const mapped = this.mapErrors
      ? handled.pipe(mapStreamErrors((error) => transportError(error, transport)))
      : handled;
    return scope === undefined ? mapped : mapped.pipe(finalize(() => scope.end()));
  }
}
