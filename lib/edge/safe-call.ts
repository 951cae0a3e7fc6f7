import type { ArgumentsHost } from '@nestjs/common';
import { transportOfCall } from './transport.js';

const SAFE_METHODS = new Set<unknown>(['GET', 'HEAD', 'OPTIONS']);

interface GraphQLInfo {
  operation?: { operation?: unknown };
}

/** Whether repeating the call at hand does no harm by what it is: GET, HEAD, OPTIONS, a GraphQL query. */
export function isSafeCall(host: ArgumentsHost): boolean {
  const transport = transportOfCall(host);
  if (transport === 'http') return isSafeRequest(host.switchToHttp().getRequest());
  return transport === 'graphql' && isOfQuery(host.getArgByIndex(3));
}

export function isSafeRequest(request: { method?: unknown } | undefined): boolean {
  return SAFE_METHODS.has(request?.method);
}

/** Whether an argument is the `info` of a resolver that is called for a query. */
export function isOfQuery(info: unknown): boolean {
  return (info as GraphQLInfo | null | undefined)?.operation?.operation === 'query';
}
