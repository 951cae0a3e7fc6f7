import type { ArgumentsHost } from '@nestjs/common';
import type { Transport } from '../dispatch/handlers.js';

/** How the call at hand reached the application; `undefined` for what Nest does not know either. */
export function transportOfCall(host: ArgumentsHost): Transport | undefined {
  const type = host.getType<string>();
  if (type === 'rpc') return isGrpcCall(host.getArgByIndex(2)) ? 'grpc' : 'rpc';
  return type === 'http' || type === 'ws' || type === 'graphql' ? type : undefined;
}

function isGrpcCall(call: unknown): boolean {
  return typeof (call as { sendMetadata?: unknown } | undefined)?.sendMetadata === 'function';
}
