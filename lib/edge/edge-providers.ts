import type { NestInterceptor, Provider } from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  ExternalContextCreator,
  HttpAdapterHost,
  ModulesContainer,
} from '@nestjs/core';
import { enterBefore } from '../nest/entrance.js';
import { takePartInRoutes } from '../nest/routes.js';
import { HttpEdge } from './http-edge.js';
import { type InboundOptions, resolveInboundOptions } from './inbound.options.js';
import { ResilienceExceptionFilter } from './resilience.filter.js';
import { ResilienceInterceptor } from './resilience.interceptor.js';

/** What an application says of its edges. */
interface Edged {
  readonly options: {
    readonly mapErrors?: boolean;
    readonly inbound?: InboundOptions;
  };
}

/**
 * Providers of what is around an application's handlers, and behind its filters. Only the
 * `ResilienceInterceptor` is for others.
 *
 * @param source injects what the application says of its edges
 * @param inside injects an interceptor that stands inside of them, if there is one
 */
export function edgeProviders(source: symbol, inside: symbol): Provider[] {
  return [
    {
      provide: ResilienceInterceptor,
      inject: [source],
      useFactory: ({ options }: Edged) =>
        new ResilienceInterceptor(options.mapErrors ?? true, options.inbound),
    },
    { provide: APP_INTERCEPTOR, useExisting: ResilienceInterceptor },
    {
      provide: ResilienceExceptionFilter,
      inject: [source, ApplicationConfig, HttpAdapterHost, ModulesContainer],
      useFactory: exceptionFilter,
    },
    {
      provide: HttpEdge,
      inject: [
        source,
        ResilienceInterceptor,
        ApplicationConfig,
        HttpAdapterHost,
        ExternalContextCreator,
        inside,
      ],
      useFactory: httpEdge,
    },
  ];
}

function exceptionFilter(
  { options }: Edged,
  ...nest: ConstructorParameters<typeof ResilienceExceptionFilter>
): ResilienceExceptionFilter | undefined {
  return options.mapErrors === false ? undefined : new ResilienceExceptionFilter(...nest);
}

function httpEdge(
  { options }: Edged,
  interceptor: ResilienceInterceptor,
  config: ApplicationConfig,
  host: HttpAdapterHost,
  contexts: ExternalContextCreator,
  inside: NestInterceptor | undefined,
): HttpEdge {
  const edge = new HttpEdge(resolveInboundOptions(options.inbound), options.mapErrors ?? true);
  takePartInRoutes(contexts, config, interceptor, edge, inside);
  enterBefore(host, edge.enter);
  return edge;
}
