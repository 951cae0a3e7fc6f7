import type { ServerResponse } from 'node:http';
import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  type NestInterceptor,
} from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { catchError, type Observable, throwError } from 'rxjs';
import { runInScope } from '../context/ambient.js';
import { httpExceptionFor, retryAfterSeconds } from './http-errors.js';
import { RequestScope } from './request-scope.js';

/** nginx's code for a client that has gone: nobody reads the answer. */
const CLIENT_CLOSED_REQUEST = 499;

/**
 * The edge of an application: it gives the calls made for a request the request's end, and turns
 * resilience errors that leave a handler into HTTP's own. (Decorated handlers run their pipeline
 * themselves, like any decorated method.)
 */
export class ResilienceInterceptor implements NestInterceptor {
  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly mapErrors: boolean,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const response = context
      .switchToHttp()
      .getResponse<ServerResponse & { raw?: ServerResponse }>();
    const scope = new RequestScope(response.raw ?? response); // Fastify wraps it
    const handled = runInScope(scope, () => next.handle());
    return handled.pipe(catchError((error) => throwError(() => this.map(error, scope, response))));
  }

  private map(error: unknown, scope: RequestScope, response: ServerResponse): unknown {
    if (scope.aborted && error === scope.reason)
      return new HttpException('Client Closed Request', CLIENT_CLOSED_REQUEST);
    const exception = this.mapErrors && !response.headersSent ? httpExceptionFor(error) : undefined;
    if (exception === undefined) return error;
    const seconds = retryAfterSeconds(error);
    if (seconds !== undefined)
      this.adapterHost.httpAdapter.setHeader(response, 'Retry-After', String(seconds));
    return exception;
  }
}
