import { Logger, type NestInterceptor, type Provider } from '@nestjs/common';
import {
  APP_INTERCEPTOR,
  ApplicationConfig,
  ExternalContextCreator,
  HttpAdapterHost,
  ModulesContainer,
} from '@nestjs/core';
import { enterBefore } from '../nest/entrance.js';
import { watchMicroservices } from '../nest/microservices.js';
import { RoutedHandlers } from '../nest/routed-handlers.js';
import { takePartInRoutes } from '../nest/routes.js';
import type { Shedding } from '../shedding/shedding.js';
import { CallShedding } from './call-shedding.js';
import { HttpEdge } from './http-edge.js';
import { type InboundOptions, resolveInboundOptions } from './inbound.options.js';
import { type CriticalityOf, RequestShedding } from './request-shedding.js';
import { ResilienceExceptionFilter } from './resilience.filter.js';
import { ResilienceInterceptor } from './resilience.interceptor.js';

/** What an application says of its edges. */
interface Edged {
  readonly options: {
    readonly mapErrors?: boolean;
    readonly inbound?: InboundOptions;
  };
  /** Which requests an overloaded server refuses. */
  readonly shedding: Shedding;
  readonly criticalityOf: CriticalityOf;
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
      useFactory: interceptor,
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
        ModulesContainer,
        inside,
      ],
      useFactory: httpEdge,
    },
  ];
}

function interceptor(edged: Edged): ResilienceInterceptor {
  const { options, shedding } = edged;
  const ofCalls = new CallShedding(shedding, (type, handler) => edged.criticalityOf(type, handler));
  return new ResilienceInterceptor(options.mapErrors ?? true, options.inbound, ofCalls);
}

function exceptionFilter(
  { options }: Edged,
  ...nest: ConstructorParameters<typeof ResilienceExceptionFilter>
): ResilienceExceptionFilter | undefined {
  return options.mapErrors === false ? undefined : new ResilienceExceptionFilter(...nest);
}

function httpEdge(
  edged: Edged,
  interceptor: ResilienceInterceptor,
  config: ApplicationConfig,
  host: HttpAdapterHost,
  contexts: ExternalContextCreator,
  modules: ModulesContainer,
  inside: NestInterceptor | undefined,
): HttpEdge {
  const { options, shedding } = edged;
  const inbound = resolveInboundOptions(options.inbound);
  const routes = new RoutedHandlers();
  const gate = new RequestShedding(
    shedding,
    inbound,
    routes,
    (type, handler) => edged.criticalityOf(type, handler),
    () => prefixOf(config),
    modules,
  );
  const edge = new HttpEdge(inbound, options.mapErrors ?? true, gate);
  watchMicroservices(modules, interceptor, warnOfMicroservice);
  takePartInRoutes(contexts, config, interceptor, edge, inside);
  enterBefore(host, edge.enter, (adapter) => routes.watch(adapter));
  return edge;
}

/** Else nothing shows it but calls that go on when nobody waits for them any more. */
function warnOfMicroservice(handler: string, server = 'a microservice'): void {
  new Logger('ResilienceModule').warn(
    `${handler}: ${server} of this hybrid application does not have its interceptors, so no deadline of a message is read, and errors are mapped for decorated handlers only; connect it by app.connectMicroservice(…, { inheritAppConfig: true })`,
  );
}

function prefixOf(config: ApplicationConfig): string {
  const prefix = config.getGlobalPrefix();
  return prefix === '' || prefix.startsWith('/') ? prefix : `/${prefix}`;
}
