import type { ArgumentsHost } from '@nestjs/common';
import type { Transport } from '../nest/handlers.js';

/** How the call at hand reached the application; `undefined` for what Nest does not know either. */
export function transportOfCall(host: ArgumentsHost): Transport | undefined {
  const type = host.getType<string>();
  if (type === 'rpc') return grpcCallOf(host) === undefined ? 'rpc' : 'grpc';
  return type === 'http' || type === 'ws' || type === 'graphql' ? type : undefined;
}

/** The call of gRPC: the last argument, or the first of a handler that reads and writes it itself. */
export function grpcCallOf(host: ArgumentsHost): unknown {
  return [host.getArgByIndex<unknown>(2), host.getArgByIndex<unknown>(0)].find(isGrpcCall);
}

function isGrpcCall(call: unknown): boolean {
  return typeof (call as { sendMetadata?: unknown } | undefined)?.sendMetadata === 'function';
}
