import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';
import { isAsyncFunction } from '../common/answers.js';

/** How a handler is reached; `grpc` and the other microservice transports report errors differently. */
export type Transport = 'http' | 'graphql' | 'ws' | 'rpc' | 'grpc';

/** The keys by which Nest and its integrations mark a method that a transport calls. */
const HTTP_PATH = 'path';
const HTTP_METHOD = 'method';
const GRAPHQL_TYPE = 'graphql:resolver_type';
const GRAPHQL_FIELDS = ['graphql:resolve_property', 'graphql:resolve_reference'];
const GRAPHQL = [GRAPHQL_TYPE, ...GRAPHQL_FIELDS];
const RPC_PATTERN = 'microservices:pattern';
const RPC_TYPE = 'microservices:handler_type';
const EVENT = 2;
const SSE = '__sse__';
const WS_MESSAGE = 'websockets:message_mapping';

/** The keys by which classes with such methods are marked. */
const GATEWAY = 'websockets:is_gateway';
const HANDLER_CLASSES = ['__controller__', GRAPHQL_TYPE, GATEWAY];

/** Where Nest keeps a route's parameters, as `<kind>:<index>`, and what it calls those that answer. */
const PARAMETERS = '__routeArguments__';
const PASSTHROUGH = '__responsePassthrough__';
const ANSWERING_PARAMETERS = /^[12]:/; // @Res(), @Next()

const SAFE_METHODS = new Set<unknown>([
  RequestMethod.GET,
  RequestMethod.HEAD,
  RequestMethod.OPTIONS,
]);

/** By what its decorators say, how a method is reached; `undefined` where no transport calls it. */
export function transportOfHandler(method: object): Transport | undefined {
  const has = (key: string) => Reflect.hasMetadata(key, method);
  if (GRAPHQL.some(has)) return 'graphql';
  if (has(WS_MESSAGE)) return 'ws';
  if (has(RPC_PATTERN)) return isGrpc(method) ? 'grpc' : 'rpc';
  return isRoute(method) ? 'http' : undefined;
}

/** Whether HTTP reaches a method, be it in one way of several. */
export function isRoute(method: object): boolean {
  return Reflect.hasMetadata(HTTP_PATH, method) && Reflect.hasMetadata(HTTP_METHOD, method);
}

/** Whether a handler is for events, which nobody waits for. */
export function isEventHandler(method: object): boolean {
  return Reflect.getMetadata(RPC_TYPE, method) === EVENT;
}

/** Whether a transport calls this method: a route, a resolver, a message or event handler. */
export function isHandler(method: object): boolean {
  return transportOfHandler(method) !== undefined;
}

/** Whether a handler is an async function, or declared to return a Promise. */
export function answersByPromise(type: object, handler: { name: string }): boolean {
  const { prototype } = type as { prototype: object };
  const declared: unknown = Reflect.getMetadata('design:returntype', prototype, handler.name);
  return declared === Promise || isAsyncFunction(handler);
}

/** Whether a class consists of handlers: a controller, a resolver, a gateway. */
export function isHandlerClass(type: object): boolean {
  return HANDLER_CLASSES.some((key) => Reflect.hasMetadata(key, type));
}

export function isGatewayClass(type: object): boolean {
  return Reflect.hasMetadata(GATEWAY, type);
}

/**
 * Whether repeating a handler does no harm by what it is: GET, HEAD, OPTIONS, a GraphQL query.
 *
 * @returns `'by-call'` where the call decides: of `@All()`, of a field that is resolved in queries and
 * mutations, and of a method that is reached in several ways
 */
export function safetyOf(method: object): 'safe' | 'unsafe' | 'by-call' {
  const has = (key: string) => Reflect.hasMetadata(key, method);
  const type: unknown = Reflect.getMetadata(GRAPHQL_TYPE, method);
  const ways: (boolean | undefined)[] = [];
  if (type !== undefined) ways.push(type === 'Query');
  if (GRAPHQL_FIELDS.some(has)) ways.push(undefined);
  if (has(WS_MESSAGE) || has(RPC_PATTERN)) ways.push(false);
  if (isRoute(method)) {
    const verb: unknown = Reflect.getMetadata(HTTP_METHOD, method);
    ways.push(verb === RequestMethod.ALL ? undefined : SAFE_METHODS.has(verb));
  }
  if (ways.every((isSafe) => isSafe === true)) return 'safe';
  return ways.every((isSafe) => isSafe === false) ? 'unsafe' : 'by-call';
}

/** Whether a route takes `@Res()` or `@Next()` and so sends its response itself. */
export function sendsOwnResponse(type: object, key: PropertyKey): boolean {
  const parameters = Reflect.getMetadata(PARAMETERS, type, key as string) as object | undefined;
  if (Reflect.getMetadata(PASSTHROUGH, type, key as string) === true) return false;
  return Object.keys(parameters ?? {}).some((parameter) => ANSWERING_PARAMETERS.test(parameter));
}

const sendingEvents = new WeakMap<object, boolean>();

/** Whether a route sends server-sent events. Asked at every request, so metadata is looked up once. */
export function sendsEvents(method: object): boolean {
  let answer = sendingEvents.get(method);
  if (answer === undefined) {
    answer = Reflect.hasMetadata(SSE, method);
    sendingEvents.set(method, answer);
  }
  return answer;
}

function isGrpc(method: object): boolean {
  const patterns = [Reflect.getMetadata(RPC_PATTERN, method)].flat() as unknown[];
  return patterns.some(
    (it) => typeof it === 'object' && it !== null && 'rpc' in it && 'service' in it,
  );
}
