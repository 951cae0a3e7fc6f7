import 'reflect-metadata';
import type { AnyMethod } from '../common/class.js';

/** By this a handler says which one it is, also through what Nest makes of it: that has its metadata. */
const HANDLER = Symbol.for('nestjs-bulwark:handler');

/** Marks the method of a controller, so that the router's entry for it can be told. */
export function markHandler(handler: AnyMethod): void {
  Reflect.defineMetadata(HANDLER, handler, handler);
}

/** What a request will reach. */
export interface Route {
  /** As it was declared: `/orders/:id`. */
  readonly path: string;
  /** `undefined` of one that Nest did not make. */
  readonly handler: AnyMethod | undefined;
}

type Register = (path: unknown, handler: unknown, ...more: unknown[]) => unknown;
type Adapter = Record<string, unknown> & { getType(): string; getInstance(): unknown };

/** The methods by which Nest registers routes at an adapter; `all` is for each verb. */
const VERBS = ['get', 'post', 'put', 'delete', 'patch', 'options', 'head', 'search', 'all'];
const VERBS_OF_WEBDAV = ['propfind', 'proppatch', 'mkcol', 'copy', 'move', 'lock', 'unlock'];

/**
 * Which handler a request will reach, asked before the application's own middleware: Fastify has found the
 * route by then, and Express's routes are asked in their order, as it will ask them itself.
 *
 * Where a path has several versions of a handler by a header, the first one stands for all.
 */
export class RoutedHandlers {
  /** By verb and path, as Nest registered them. */
  private readonly handlers = new Map<string, AnyMethod>();
  private adapter: Adapter | undefined = undefined;

  /** Takes note of the routes that Nest registers from now on. */
  watch(given: object): void {
    const adapter = given as Adapter;
    this.adapter = adapter;
    for (const verb of [...VERBS, ...VERBS_OF_WEBDAV]) {
      const register = adapter[verb] as Register | undefined;
      if (typeof register !== 'function') continue;
      adapter[verb] = (...args: Parameters<Register>) => {
        this.note(verb, args[0], args.at(-1));
        return register.apply(adapter, args);
      };
    }
  }

  /** `undefined` where none is found, or the router is not one that is known. */
  find(request: unknown): Route | undefined {
    try {
      return this.adapter?.getType() === 'fastify'
        ? this.ofFastify(request as FastifyRequest)
        : this.ofExpress(request as ExpressRequest);
    } catch {
      return undefined; // a path that cannot be decoded
    }
  }

  private note(verb: string, path: unknown, routed: unknown): void {
    if (typeof routed !== 'function' || typeof path !== 'string') return;
    const handler = Reflect.getMetadata(HANDLER, routed) as AnyMethod | undefined;
    const key = keyOf(verb.toUpperCase(), path);
    if (handler !== undefined && !this.handlers.has(key)) this.handlers.set(key, handler);
  }

  private handlerOf(method: string, path: string): AnyMethod | undefined {
    const { handlers } = this;
    const own = handlers.get(keyOf(method, path)) ?? handlers.get(keyOf('ALL', path));
    return own ?? (method === 'HEAD' ? handlers.get(keyOf('GET', path)) : undefined);
  }

  private ofFastify({ method, routeOptions }: FastifyRequest): Route | undefined {
    const path = routeOptions?.url;
    return path === undefined ? undefined : { path, handler: this.handlerOf(method, path) };
  }

  private ofExpress({ method, url }: ExpressRequest): Route | undefined {
    const { router } = (this.adapter?.getInstance() ?? {}) as { router?: { stack?: Layer[] } };
    const pathname = pathOf(url);
    for (const layer of router?.stack ?? []) {
      const { route } = layer;
      if (route === undefined || !route._handlesMethod(method) || !layer.match(pathname)) continue;
      const path = String(route.path);
      return { path, handler: this.handlerOf(method, path) };
    }
    return undefined;
  }
}

/** The path of a request's URL, without the query. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

interface FastifyRequest {
  readonly method: string;
  readonly routeOptions?: { readonly url?: string };
}

interface ExpressRequest {
  readonly method: string;
  readonly url: string;
}

/** As it is in the router of Express. */
interface Layer {
  readonly route?: { readonly path: unknown; _handlesMethod(method: string): boolean };
  match(path: string): unknown;
}

function keyOf(verb: string, path: string): string {
  return `${verb} ${path}`;
}
