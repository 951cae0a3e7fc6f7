import 'reflect-metadata';
import type { ModulesContainer } from '@nestjs/core';
import type { AnyMethod, Class } from '../common/class.js';
import { isHandlerClass, isRoute } from '../nest/handlers.js';
import { classesOf } from '../nest/modules.js';
import { markHandler, pathOf, type RoutedHandlers } from '../nest/routed-handlers.js';
import { isNeverShed } from '../shedding/never-shed.decorator.js';
import type { OverloadedError, RequestCriticality } from '../shedding/overloaded.error.js';
import type { Shedding } from '../shedding/shedding.js';
import type { RawResponse } from './connection.js';
import { inboundOfRequest, type Sender } from './inbound.js';
import type { ResolvedInboundOptions } from './inbound.options.js';

/** What probes and scrapers ask for, whatever the load. */
const PROBES = [
  ...['/health', '/healthz', '/live', '/livez', '/liveness'],
  ...['/ready', '/readyz', '/readiness', '/metrics'],
];

/** What `@Critical()` says of a handler of a class. */
export type CriticalityOf = (type: Class, handler: AnyMethod) => boolean | undefined;

/** What is known of a handler. */
interface HandlerFacts {
  readonly isExempt: boolean;
  readonly types: readonly Class[];
}

/**
 * Sheds the requests of HTTP where they come in: before the application's own middleware, the body, the guards
 * and the pipes. What a request is, is looked up only where the load is so that any might be refused.
 */
export class RequestShedding {
  private readonly handlers: ReadonlyMap<AnyMethod, HandlerFacts>;

  /** @param prefix of all paths of the application, as it is when the first one is judged */
  constructor(
    private readonly shedding: Shedding,
    private readonly inbound: ResolvedInboundOptions,
    private readonly routes: RoutedHandlers,
    private readonly criticalityOf: CriticalityOf,
    private readonly prefix: () => string,
    modules: ModulesContainer,
  ) {
    this.handlers = factsOf(modules);
  }

  get isOn(): boolean {
    return this.shedding.isOn;
  }

  /** @returns why a request is refused; `undefined` where it is let in */
  refuse(request: HttpRequest): OverloadedError | undefined {
    if (!this.shedding.isStrained || this.isProbe(request.url)) return undefined;
    const route = this.routes.find(request);
    const facts = route?.handler && this.handlers.get(route.handler);
    if (facts?.isExempt) return undefined;
    const said = facts?.types
      .map((type) => this.criticalityOf(type, route?.handler as AnyMethod))
      .find((each) => each !== undefined);
    const critical = said ?? inboundOfRequest(request, this.inbound)?.critical;
    const criticality = criticalityBy(critical);
    return this.shedding.refuse({ criticality, method: request.method, path: route?.path });
  }

  /**
   * A request is let in, and is in flight until its response is over. One that becomes a connection of
   * WebSockets is not: nobody knows how long it stays.
   */
  enter(response: RawResponse): Seat | undefined {
    return isUpgraded(response) ? undefined : new Seat(this.shedding, response);
  }

  private isProbe(url: string): boolean {
    const path = pathOf(url);
    return isBelow(path, PROBES, '') || isBelow(path, PROBES, this.prefix()) || this.isOwn(path);
  }

  private isOwn(path: string): boolean {
    const { exempt } = this.shedding;
    if (exempt.length === 0) return false;
    return isBelow(path, exempt, '') || isBelow(path, exempt, this.prefix());
  }
}

/** A request as both Express and Fastify hand it on. */
export interface HttpRequest extends Sender {
  readonly method: string;
  readonly url: string;
}

/** The place of a request among those in flight. */
export class Seat {
  private enteredAt: number | undefined;

  constructor(
    private readonly shedding: Shedding,
    private readonly response: RawResponse,
  ) {
    this.enteredAt = shedding.enter();
    response.once('close', this.onClose);
  }

  /** It is in flight no more, though its response goes on: a stream that is read at its client's pace. */
  leave(): void {
    this.release('unknown');
  }

  private readonly onClose = (): void => {
    const { writableEnded, statusCode } = this.response;
    if (!writableEnded) this.release('cut');
    else this.release(statusCode < 400 ? 'success' : 'unknown'); // what fails may fail at once
  };

  private release(end: 'success' | 'cut' | 'unknown'): void {
    if (this.enteredAt === undefined) return;
    const at = this.enteredAt;
    this.enteredAt = undefined;
    this.shedding.leave(at, end);
  }
}

/** As Node has decided. Clients offer other protocols by the header `Upgrade` also where nobody takes these up. */
function isUpgraded({ req }: RawResponse): boolean {
  return (req as { upgrade?: boolean } | undefined)?.upgrade === true;
}

export function criticalityBy(critical: boolean | undefined): RequestCriticality {
  if (critical === undefined) return 'normal';
  return critical ? 'critical' : 'sheddable';
}

function isBelow(path: string, roots: readonly string[], prefix: string): boolean {
  return roots.some((root) => {
    const whole = prefix + root;
    return path.startsWith(whole) && (path.length === whole.length || path[whole.length] === '/');
  });
}

/** Of each handler of a route; one that classes inherit is exempt where it is in any of them. */
function factsOf(modules: ModulesContainer): Map<AnyMethod, HandlerFacts> {
  const facts = new Map<AnyMethod, HandlerFacts>();
  for (const [type] of classesOf(modules)) {
    if (!isHandlerClass(type)) continue;
    for (const handler of routesOf(type)) {
      markHandler(handler);
      const { isExempt = false, types = [] } = facts.get(handler) ?? {};
      facts.set(handler, {
        isExempt: isExempt || isNeverShed(type) || isNeverShed(handler) || checksHealth(type),
        types: [...types, type],
      });
    }
  }
  return facts;
}

function routesOf({ prototype }: Class): AnyMethod[] {
  const handlers = new Map<PropertyKey, AnyMethod | undefined>();
  for (
    let each = prototype as object;
    each !== Object.prototype;
    each = Object.getPrototypeOf(each)
  )
    for (const key of Reflect.ownKeys(each)) {
      const method: unknown = Object.getOwnPropertyDescriptor(each, key)?.value;
      const isOne = key !== 'constructor' && typeof method === 'function' && isRoute(method);
      if (!handlers.has(key)) handlers.set(key, isOne ? (method as AnyMethod) : undefined);
    }
  return [...handlers.values()].filter((handler) => handler !== undefined);
}

/** `@HealthCheck()` of Terminus leaves no mark that tells it from others; what it is for is injected. */
function checksHealth(type: Class): boolean {
  const injected = Reflect.getMetadata('design:paramtypes', type) as unknown[] | undefined;
  return (
    injected?.some((each) => (each as Class | undefined)?.name === 'HealthCheckService') ?? false
  );
}
