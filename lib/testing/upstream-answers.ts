import type {
  IncomingHttpHeaders,
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http';
import { ResilienceConfigurationError } from '../index.js';

/** A request as the upstream got it. */
export interface ReceivedRequest {
  /** The method of HTTP: `GET`. */
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** What stands behind the `?` of the URL. */
  readonly query: URLSearchParams;
  /** In lower case, as Node has them: `x-request-attempt`, `x-request-deadline`, `traceparent`. */
  readonly headers: IncomingHttpHeaders;
  /** As text. */
  readonly body: string;
  /** Whether the client has gone before it had its answer. */
  readonly aborted: boolean;
}

/** An answer in full. */
export interface UpstreamAnswer {
  /** @default 200 */
  status?: number;
  /** The headers of the answer. */
  headers?: OutgoingHttpHeaders;
  /** A text or a `Buffer` as it is, all else as JSON. @default none */
  body?: unknown;
  /** So long, in real ms, it takes until the answer begins. @default 0 */
  delayMs?: number;
  /** Of the header `Retry-After`: seconds, or a date. */
  retryAfter?: number | Date;
  /** The connection is cut when half of the body is sent. @default false */
  cut?: boolean;
}

/**
 * What the upstream does with a request: a status, an answer in full, `'hang'` (never an answer), `'reset'` (the
 * connection is reset), or a function that says so of a request.
 */
export type UpstreamReply =
  | number
  | 'hang'
  | 'reset'
  | UpstreamAnswer
  | ((request: ReceivedRequest) => UpstreamReply);

/** @throws ResilienceConfigurationError on what is no answer */
export function checkReply(route: string, reply: unknown): void {
  const isStatus =
    typeof reply === 'number' && Number.isInteger(reply) && reply >= 200 && reply < 600;
  const isFault = reply === 'hang' || reply === 'reset';
  const isOther = typeof reply === 'function' || (typeof reply === 'object' && reply !== null);
  if (isStatus || isFault || isOther) return;
  throw new ResilienceConfigurationError(
    `reply(${JSON.stringify(route)})`,
    `is given ${String(reply)}; allowed: a status from 200 to 599, 'hang', 'reset', { status, headers, body, delayMs, retryAfter, cut }, or a function that returns one of these`,
  );
}

/** Answers a request. */
export function answer(
  reply: UpstreamReply,
  received: ReceivedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (typeof reply === 'function') answer(reply(received), received, request, response);
  else if (reply === 'reset') request.socket.resetAndDestroy();
  else if (reply !== 'hang')
    sendLater(typeof reply === 'number' ? { status: reply } : reply, response);
}

function sendLater(reply: UpstreamAnswer, response: ServerResponse): void {
  const { delayMs = 0 } = reply;
  if (delayMs === 0) {
    send(reply, response);
    return;
  }
  const timer = setTimeout(() => send(reply, response), delayMs);
  response.once('close', () => clearTimeout(timer));
}

function send(reply: UpstreamAnswer, response: ServerResponse): void {
  const { status = 200, headers = {}, retryAfter, cut = false } = reply;
  const { content, type } = contentOf(reply.body);
  if (type !== undefined) response.setHeader('content-type', type);
  if (retryAfter !== undefined)
    response.setHeader(
      'retry-after',
      typeof retryAfter === 'number' ? retryAfter : retryAfter.toUTCString(),
    );
  // Also of a part of it: by what is missing the client knows that it was cut.
  response.writeHead(status, { 'content-length': content.length, ...headers });
  if (!cut) {
    response.end(content);
    return;
  }
  response.write(content.subarray(0, Math.floor(content.length / 2)), () =>
    response.socket?.destroy(),
  );
}

function contentOf(body: unknown): { content: Buffer; type?: string } {
  if (body === undefined) return { content: Buffer.alloc(0) };
  if (Buffer.isBuffer(body)) return { content: body };
  if (typeof body === 'string')
    return { content: Buffer.from(body), type: 'text/plain; charset=utf-8' };
  return { content: Buffer.from(JSON.stringify(body)), type: 'application/json; charset=utf-8' };
}
