import type { ArgumentsHost } from '@nestjs/common';
import { now } from '../common/clock.js';
import {
  CLIENT,
  CRITICAL,
  REQUEST_CRITICALITY,
  REQUEST_TIMEOUT,
  REQUEST_TIMEOUT_ORIGIN,
  SHEDDABLE,
} from '../common/request-headers.js';
import { valueIn } from '../errors/error-headers.js';
import type { Transport } from '../nest/handlers.js';
import type { ResolvedInboundOptions } from './inbound.options.js';
import { headersOfMessage } from './message-headers.js';
import { grpcCallOf, transportOfCall } from './transport.js';

/** What a caller says about its request, as far as it is believed. */
export interface Inbound {
  /**
   * Its deadline on the monotonic clock; `Infinity` without one. When its end is heard of, it has
   * passed for all that answer the request, though a timer may come a millisecond before.
   */
  expiresAt: number;
  /** What it left when the request came, in ms. */
  readonly timeoutMs: number;
  /** Whether anything is learned from how calls fare within it. */
  readonly trusted: boolean;
  readonly critical: boolean | undefined;
}

export interface Sender {
  method?: unknown;
  headers?: Record<string, unknown>;
}

interface GrpcCall {
  getDeadline?: () => Date | number;
  metadata?: { get(name: string): unknown[] };
}

/** Of each request that says something: its deadline is one, however many resolvers answer it. */
const known = new WeakMap<object, Inbound>();

/**
 * What is said about a request by the headers of HTTP, of GraphQL over HTTP too, by the deadline and
 * metadata of gRPC, and by the headers or metadata of a message; `undefined` where nothing is. WebSockets
 * say nothing.
 */
export function inboundOf(
  host: ArgumentsHost,
  transport: Transport,
  options: ResolvedInboundOptions,
): Inbound | undefined {
  if (transport === 'grpc') return ofGrpc(grpcCallOf(host) as GrpcCall, options);
  return transport === 'rpc'
    ? ofMessage(headersOfMessage(host), options)
    : inboundOfRequest(requestOf(host, transport), options);
}

/** The same for a request of HTTP. */
export function inboundOfRequest(
  request: Sender | undefined,
  options: ResolvedInboundOptions,
): Inbound | undefined {
  const headers = request?.headers;
  if (request === undefined || headers === undefined) return undefined;
  const timeoutMs = milliseconds(headers[REQUEST_TIMEOUT]);
  const critical = options.trustCriticality ? criticality(headers[REQUEST_CRITICALITY]) : undefined;
  if (timeoutMs === undefined && critical === undefined) return undefined;
  const before = known.get(request);
  if (before !== undefined) return before;
  const origin = headers[REQUEST_TIMEOUT_ORIGIN];
  const inbound = inboundFrom(timeoutMs, origin, critical, options);
  known.set(request, inbound);
  return inbound;
}

/** A header of a request by HTTP or GraphQL, or of a message, or the metadata of gRPC: whatever was sent, be it a list. */
export function headerOf(host: ArgumentsHost, name: string): unknown {
  const transport = transportOfCall(host);
  const key = name.toLowerCase();
  if (transport === 'grpc') return (grpcCallOf(host) as GrpcCall).metadata?.get(key)[0];
  if (transport === 'rpc') return valueIn(headersOfMessage(host), key);
  return transport && requestOf(host, transport)?.headers?.[key];
}

function requestOf(host: ArgumentsHost, transport: Transport): Sender | undefined {
  if (transport === 'http') return host.switchToHttp().getRequest<Sender | undefined>();
  if (transport !== 'graphql') return undefined;
  const request = host.getArgByIndex<{ req?: Sender } | undefined>(2)?.req;
  // The handshake of a WebSocket is not the request of any of the operations that come over it.
  return request?.headers?.upgrade === undefined ? request : undefined;
}

/** `grpc-timeout`, which the server has made an instant of. */
function ofGrpc(call: GrpcCall, options: ResolvedInboundOptions): Inbound | undefined {
  const leftMs = Number(call.getDeadline?.() ?? Number.POSITIVE_INFINITY) - Date.now();
  const timeoutMs = Number.isFinite(leftMs) ? Math.max(0, leftMs) : undefined;
  const critical = options.trustCriticality
    ? criticality(call.metadata?.get(REQUEST_CRITICALITY)[0])
    : undefined;
  if (timeoutMs === undefined && critical === undefined) return undefined;
  const origin = call.metadata?.get(REQUEST_TIMEOUT_ORIGIN)[0];
  return inboundFrom(timeoutMs, origin, critical, options);
}

function ofMessage(headers: unknown, options: ResolvedInboundOptions): Inbound | undefined {
  const timeoutMs = milliseconds(valueIn(headers, REQUEST_TIMEOUT));
  const critical = options.trustCriticality
    ? criticality(valueIn(headers, REQUEST_CRITICALITY))
    : undefined;
  if (timeoutMs === undefined && critical === undefined) return undefined;
  return inboundFrom(timeoutMs, valueIn(headers, REQUEST_TIMEOUT_ORIGIN), critical, options);
}

function inboundFrom(
  givenMs: number | undefined,
  origin: unknown,
  critical: boolean | undefined,
  { maxTimeoutMs, trustDeadline }: ResolvedInboundOptions,
): Inbound {
  const timeoutMs =
    givenMs === undefined ? Number.POSITIVE_INFINITY : Math.min(givenMs, maxTimeoutMs);
  return {
    expiresAt: now() + timeoutMs,
    timeoutMs,
    trusted: trustDeadline && origin !== CLIENT,
    critical,
  };
}

/** Whole numbers only: anything else is ignored, as is a header that came twice. */
function milliseconds(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : undefined;
}

function criticality(value: unknown): boolean | undefined {
  if (value === CRITICAL) return true;
  return value === SHEDDABLE ? false : undefined;
}
