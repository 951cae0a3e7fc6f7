import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';

/** The keys by which Nest and its integrations mark a method that a transport calls. */
const HTTP_PATH = 'path';
const HTTP_METHOD = 'method';
const GRAPHQL_TYPE = 'graphql:resolver_type';
const OTHERS = [
  'microservices:pattern',
  'microservices:handler_type',
  'websockets:message_mapping',
];

/** The keys by which classes with such methods are marked. */
const HANDLER_CLASSES = ['__controller__', 'graphql:resolver_type', 'websockets:is_gateway'];

const SAFE_METHODS = new Set<unknown>([
  RequestMethod.GET,
  RequestMethod.HEAD,
  RequestMethod.OPTIONS,
]);

/** Whether a transport calls this method: a route, a resolver, a message or event handler. */
export function isHandler(method: object): boolean {
  return (
    (Reflect.hasMetadata(HTTP_PATH, method) && Reflect.hasMetadata(HTTP_METHOD, method)) ||
    Reflect.hasMetadata(GRAPHQL_TYPE, method) ||
    OTHERS.some((key) => Reflect.hasMetadata(key, method))
  );
}

/** Whether a class consists of handlers: a controller, a resolver, a gateway. */
export function isHandlerClass(type: object): boolean {
  return HANDLER_CLASSES.some((key) => Reflect.hasMetadata(key, type));
}

/** Whether repeating the handler does no harm by what it is: GET, HEAD, OPTIONS, a GraphQL query. */
export function isSafeHandler(method: object): boolean {
  if (Reflect.getMetadata(GRAPHQL_TYPE, method) === 'Query') return true;
  return (
    Reflect.hasMetadata(HTTP_PATH, method) &&
    SAFE_METHODS.has(Reflect.getMetadata(HTTP_METHOD, method))
  );
}
