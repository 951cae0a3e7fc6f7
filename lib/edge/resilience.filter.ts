import { type ArgumentsHost, Catch, type ExceptionFilter, type OnModuleInit } from '@nestjs/common';
import {
  type ApplicationConfig,
  BaseExceptionFilter,
  type HttpAdapterHost,
  type ModulesContainer,
} from '@nestjs/core';
import { from, mergeMap, type Observable, throwError } from 'rxjs';
import { isResilienceError } from '../errors/resilience.error.js';
import { mapInBaseFilter } from '../nest/base-filter.js';
import { askLast, catchesOf, filterGateways, filtersOf } from '../nest/filters.js';
import { isGatewayClass } from '../nest/handlers.js';
import { classesOf } from '../nest/modules.js';
import { isClientGone } from './client-scope.js';
import { clientClosedRequest, httpError, transportError } from './edge-errors.js';
import { handlingOf } from './http-edge.js';
import { forbidRetry, isFinal, isRetried, tellFinal, withAdvice } from './no-retry.js';
import { optionalPeer } from './optional-peer.js';
import { transportOfCall } from './transport.js';

/** What is caught: the library's own errors, also those of a second copy of the package, and what was left to it. */
abstract class AnyResilienceError {
  static [Symbol.hasInstance](error: unknown): boolean {
    return isResilienceError(error) || isFinal(error);
  }
}

/**
 * The last resort for resilience errors that no interceptor of ours has seen: all those of HTTP, and on
 * other transports those of guards and of interceptors around it. It also tells who has sent a message what
 * was retried to the end.
 *
 * It comes after every filter of the application, which sees the error as it was thrown. Where none
 * has caught it, it becomes the error of its transport, which a filter may be for: a global one, or one of
 * the route that has failed.
 */
@Catch(AnyResilienceError)
export class ResilienceExceptionFilter extends BaseExceptionFilter implements OnModuleInit {
  private readonly release: () => void;

  constructor(
    private readonly config: ApplicationConfig,
    protected override readonly httpAdapterHost: HttpAdapterHost,
    private readonly modules: ModulesContainer,
  ) {
    super();
    askLast(this, config); // an APP_FILTER of ours would come before those of the root module
    const classes = new Set([...classesOf(modules)].map(([type]) => type));
    this.release = filterGateways([...classes].filter(isGatewayClass), this); // no global one is for them
  }

  onModuleInit(): void {
    this.release(); // by now each gateway has its filters
    const httpAdapter = this.httpAdapterHost.httpAdapter as object | null | undefined;
    if (httpAdapter != null) mapInBaseFilter(httpAdapter, answerByNest);
  }

  /** @returns what Nest expects of a filter for the transport: nothing, a promise or a stream */
  override catch(error: unknown, host: ArgumentsHost): unknown {
    const transport = transportOfCall(host);
    if (transport === undefined) throw error;
    if (transport === 'http') return this.answer(error, host);
    if (transport === 'graphql') return this.report(error, host);
    if (transport === 'ws') return tell(error, host);
    if (transport === 'rpc' && isFinal(error)) return from(tellFinal(error, host));
    return from(rpcError(error, transport)).pipe(
      mergeMap((exception) => this.refuse(exception, host)),
    );
  }

  private answer(error: unknown, host: ArgumentsHost): unknown {
    const exception = toldByHttp(error, host);
    const handling = handlingOf(error);
    const bound = handling && filtersOf(handling.type, handling.handler, this.modules);
    const filter = this.filterFor(exception, bound);
    return filter === undefined ? super.catch(exception, host) : filter.catch(exception, host);
  }

  /** @throws what a client of GraphQL is told */
  private async report(error: unknown, host: ArgumentsHost): Promise<unknown> {
    const exception = await transportError(error, 'graphql');
    const answer = (await this.filterFor(exception)?.catch(exception, host)) as unknown;
    if (answer === undefined) throw exception ?? error;
    return answer;
  }

  private refuse(exception: unknown, host: ArgumentsHost): Observable<unknown> {
    const answer = this.filterFor(exception)?.catch(exception, host) as Observable<unknown>;
    return answer ?? throwError(() => (exception as RpcException).getError());
  }

  /** A filter of the application's that is for what the error has become. */
  private filterFor(
    exception: unknown,
    bound: ExceptionFilter[] = [],
  ): ExceptionFilter | undefined {
    const isFor = (filter: ExceptionFilter) =>
      filter !== this && catchesOf(filter).some((type) => exception instanceof type);
    return [...this.config.getGlobalFilters(), ...bound].findLast(isFor);
  }
}

/** What Nest's own filter would take for a failure of the server: of a guard, or in a filter that leaves it the answer. */
function answerByNest(error: unknown, host: ArgumentsHost): unknown {
  if (transportOfCall(host) !== 'http') return undefined;
  if (isClientGone(error)) return clientClosedRequest();
  return isResilienceError(error) ? toldByHttp(error, host) : undefined;
}

function toldByHttp(error: unknown, host: ArgumentsHost): unknown {
  const response = host.switchToHttp().getResponse<unknown>();
  if (isRetried(error, undefined)) forbidRetry(response);
  return httpError(error, response);
}

interface RpcException {
  getError(): unknown;
}

async function rpcError(error: unknown, transport: 'rpc' | 'grpc'): Promise<unknown> {
  const exception = await transportError(error, transport);
  if (exception !== undefined && !isRetried(error, undefined)) return exception;
  return withAdvice(exception ?? error, transport, true);
}

/** As Nest tells a client of a gateway, over whatever it is connected. */
async function tell(error: unknown, host: ArgumentsHost): Promise<void> {
  const exception = await transportError(error, 'ws');
  const peer = await optionalPeer<{ BaseWsExceptionFilter: new () => ExceptionFilter }>(
    '@nestjs/websockets',
  );
  if (peer !== undefined) new peer.BaseWsExceptionFilter().catch(exception ?? error, host);
}
