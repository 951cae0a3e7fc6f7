import {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
  validateHeaderName,
  validateHeaderValue,
} from 'node:http';
import { types } from 'node:util';
import { Alarm, MAX_TIMER_MS } from '../bench.js';
import { checkOptions, ResilienceConfigurationError, type Rules } from '../index.js';

const { isDate, isPromise } = types;

/** A request as the upstream got it. */
export interface ReceivedRequest {
  /** The method of HTTP: `GET`. */
  readonly method: string;
  /** The path of the URL, without the query. */
  readonly path: string;
  /** What stands behind the `?` of the URL. */
  readonly query: URLSearchParams;
  /**
   * The headers of the request, with names in lower case: `x-request-attempt`, `x-request-timeout-ms`,
   * `traceparent`.
   */
  readonly headers: IncomingHttpHeaders;
  /** The body of the request, as text. */
  readonly body: string;
  /** Whether the client has gone before it had its answer. */
  readonly aborted: boolean;
}

/** An answer in full. */
export interface UpstreamAnswer {
  /** The status, from 200 to 599. @default 200 */
  status?: number;
  /** The headers of the answer. */
  headers?: OutgoingHttpHeaders;
  /** A text or a `Buffer` as it is, all else as JSON. @default none */
  body?: unknown;
  /** How long it takes until the answer begins, in ms on the clock in force, a virtual one too. @default 0 */
  delayMs?: number;
  /** The value of the header `Retry-After`: seconds from 0, or a date. */
  retryAfter?: number | Date;
  /** The connection is cut when half of the body is sent. @default false */
  cut?: boolean;
  /** Half of the body is sent, and no more, until the client goes. @default false */
  stall?: boolean;
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

/** What is left when functions have said what they say. */
type Said = Exclude<UpstreamReply, (request: ReceivedRequest) => UpstreamReply>;

const RULES: Rules<UpstreamAnswer> = {
  status: (value) => (isStatus(value) ? undefined : 'a status from 200 to 599'),
  headers: (value) => (areHeaders(value) ? undefined : 'headers as node:http takes them'),
  body: (value) => (canBeSent(value) ? undefined : 'a text, a Buffer, or what can become JSON'),
  delayMs: (value) =>
    isFromZero(value) && (value as number) <= MAX_TIMER_MS
      ? undefined
      : `ms from 0 to ${MAX_TIMER_MS}`,
  retryAfter: (value) =>
    isFromZero(value) || isDate(value) ? undefined : 'seconds from 0, or a date',
  cut: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  stall: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
};

/** @throws ResilienceConfigurationError on what is no answer */
export function checkReply(route: string, reply: unknown): void {
  const place = `reply(${JSON.stringify(route)})`;
  if (isStatus(reply) || reply === 'hang' || reply === 'reset' || typeof reply === 'function')
    return;
  if (typeof reply === 'object' && reply !== null && !isPromise(reply)) {
    checkOptions(place, reply, RULES);
    return;
  }
  const given = isPromise(reply) ? 'a promise' : String(reply);
  throw new ResilienceConfigurationError(
    place,
    `is given ${given}; allowed: a status from 200 to 599, 'hang', 'reset', { status, headers, body, delayMs, retryAfter, cut, stall }, or a function that returns one of these`,
  );
}

/** Answers a request; by 500 and the reason, where a function of the script does not know what to answer. */
export function answer(
  reply: UpstreamReply,
  received: ReceivedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const said = saidBy(reply, received);
  if (said === 'reset') request.socket.resetAndDestroy();
  else if (said !== 'hang') sendLater(typeof said === 'number' ? { status: said } : said, response);
}

function saidBy(reply: UpstreamReply, received: ReceivedRequest): Said {
  if (typeof reply !== 'function') return reply;
  const { method, path } = received;
  try {
    const said = reply(received);
    checkReply(`${method} ${path}`, said);
    return saidBy(said, received);
  } catch (error) {
    return { status: 500, body: `The script failed at ${method} ${path}: ${String(error)}` };
  }
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 200 && (value as number) < 600;
}

function isFromZero(value: unknown): boolean {
  return Number.isFinite(value) && (value as number) >= 0;
}

function areHeaders(value: unknown): boolean {
  try {
    for (const [name, said] of Object.entries(value as object)) {
      validateHeaderName(name);
      for (const each of [said].flat()) validateHeaderValue(name, each as string);
    }
    return true;
  } catch {
    return false;
  }
}

function canBeSent(body: unknown): boolean {
  try {
    contentOf(body);
    return true;
  } catch {
    return false;
  }
}

function sendLater(reply: UpstreamAnswer, response: ServerResponse): void {
  const { delayMs = 0 } = reply;
  if (delayMs === 0) {
    send(reply, response);
    return;
  }
  const alarm = new Alarm(() => send(reply, response));
  alarm.set(delayMs);
  response.once('close', () => alarm.stop());
}

function send(reply: UpstreamAnswer, response: ServerResponse): void {
  const { status = 200, headers = {}, retryAfter, cut = false, stall = false } = reply;
  const isWhole = !cut && !stall;
  const { content, type } = contentOf(reply.body);
  if (type !== undefined) response.setHeader('content-type', type);
  if (retryAfter !== undefined)
    response.setHeader(
      'retry-after',
      typeof retryAfter === 'number' ? retryAfter : retryAfter.toUTCString(),
    );
  // Also of a part of it: by what is missing the client knows that it was cut, and so something has to be.
  const length = isWhole ? content.length : Math.max(1, content.length);
  response.writeHead(status, { 'content-length': length, ...headers });
  if (isWhole) {
    response.end(content);
    return;
  }
  response.flushHeaders(); // also where half of the body is nothing
  response.write(content.subarray(0, Math.floor(content.length / 2)), () => {
    if (cut) response.socket?.destroy();
  });
}

function contentOf(body: unknown): { content: Buffer; type?: string } {
  if (body === undefined) return { content: Buffer.alloc(0) };
  if (Buffer.isBuffer(body)) return { content: body };
  if (typeof body === 'string')
    return { content: Buffer.from(body), type: 'text/plain; charset=utf-8' };
  return { content: Buffer.from(JSON.stringify(body)), type: 'application/json; charset=utf-8' };
}
