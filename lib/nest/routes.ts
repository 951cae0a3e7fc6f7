import type { NestInterceptor } from '@nestjs/common';
import type { ApplicationConfig, ExternalContextCreator, ModulesContainer } from '@nestjs/core';
import type { AnyMethod, Class } from '../common/class.js';
import { isRoute, transportOfHandler } from './handlers.js';
import { noteForeign } from './microservices.js';

/** What is around the handler of a route, and the pipes and interceptors before it. */
export interface RouteEdge {
  answer(request: unknown, response: unknown, proceed: () => Promise<unknown>): Promise<unknown>;
}

/** An application, which is around its routes by itself. */
export interface Routing {
  routeEdge(type: Class, handler: AnyMethod): RouteEdge;
}

/** The interceptors around a handler. */
type Chain = unknown[] & { [EDGE]?: RouteEdge };

const EDGE = Symbol('nestjs-bulwark:route-edge');

/** As they are in Nest 11.0 to 12: what comes after is passed on. */
interface ChainCreator {
  readonly config?: ApplicationConfig;
  readonly container?: { getModules(): ModulesContainer };
  create(instance: object, handler: AnyMethod, ...context: unknown[]): Chain;
}

interface Consumer {
  intercept(
    chain: Chain,
    args: unknown[],
    instance: object,
    handler: AnyMethod,
    next: () => Promise<unknown>,
    type?: string,
  ): Promise<unknown>;
}

interface ContextCreatorInside {
  readonly interceptorsContextCreator?: ChainCreator;
  readonly interceptorsConsumer?: Consumer;
}

/** With the interceptor that is not for routes, and one that stands inside of it and of routes. */
const routings = new WeakMap<
  ApplicationConfig,
  [Routing, NestInterceptor, NestInterceptor | undefined]
>();
const takenOver = new WeakSet<object>();

/**
 * From now on an application is asked around each handler that a route of it calls, in the place of its
 * interceptor. Nest makes two promises and several Observables of an interceptor, at every request.
 *
 * All applications of a process share the methods that are taken over here, once. Those that do not ask
 * for it, and other transports, are served as ever.
 */
export function takePartInRoutes(
  contexts: ExternalContextCreator,
  config: ApplicationConfig,
  interceptor: NestInterceptor,
  routing: Routing,
  inside?: NestInterceptor,
): void {
  const { interceptorsContextCreator: creator, interceptorsConsumer: consumer } =
    contexts as unknown as ContextCreatorInside;
  if (creator === undefined || consumer === undefined) return; // the interceptor serves routes as well
  routings.set(config, [routing, interceptor, inside]);
  takeOverCreator(Object.getPrototypeOf(creator) as ChainCreator);
  takeOverConsumer(Object.getPrototypeOf(consumer) as Consumer);
}

function takeOverCreator(creators: ChainCreator): void {
  if (takenOver.has(creators)) return;
  takenOver.add(creators);
  const { create } = creators;
  creators.create = function (this: ChainCreator, instance, handler, ...context) {
    const created = create.call(this, instance, handler, ...context);
    const served = this.config && routings.get(this.config);
    if (served === undefined) {
      const { config, container } = this;
      if (config && container)
        noteForeign(container.getModules(), config, created, instance, handler);
      return created;
    }
    const [routing, interceptor, inside] = served;
    const at = created.indexOf(interceptor) + 1;
    const chain: Chain = inside === undefined ? created : created.toSpliced(at, 0, inside);
    if (!isRoute(handler)) return chain;
    // Where a method is a handler of messages too, whose chain this is shows when it is called.
    const isRouteOnly = transportOfHandler(handler) === 'http';
    const own: Chain = isRouteOnly ? chain.filter((each) => each !== interceptor) : chain;
    own[EDGE] = routing.routeEdge(instance.constructor as Class, handler);
    return own;
  };
}

function takeOverConsumer(consumers: Consumer): void {
  if (takenOver.has(consumers)) return;
  takenOver.add(consumers);
  const { intercept } = consumers;
  consumers.intercept = function (this: Consumer, chain, args, instance, handler, next, type) {
    const edge = type === 'http' ? chain?.[EDGE] : undefined;
    if (edge === undefined) return intercept.call(this, chain, args, instance, handler, next, type);
    const proceed =
      chain.length === 0
        ? next // as Nest does
        : () => intercept.call(this, chain, args, instance, handler, next, type);
    return edge.answer(args[0], args[1], proceed);
  };
}
