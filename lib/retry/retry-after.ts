import { RETRY_PUSHBACK, SHOULD_RETRY } from '../common/request-headers.js';
import { isResilienceError } from '../common/resilience.error.js';
import { errorChain } from '../context/error-chain.js';

interface Carrier {
  retryAfterMs?: unknown;
  headers?: unknown;
  response?: { headers?: unknown } | null;
  /** Of gRPC. */
  metadata?: unknown;
}

/**
 * How long, in ms, the one who failed asks to be left alone: `error.retryAfterMs`, the `Retry-After`
 * header (seconds or an HTTP date, RFC 9110 §10.2.3) in `error.response.headers` or `error.headers`,
 * or the `grpc-retry-pushback-ms` in `error.metadata`. The library's own errors do not count: they
 * speak of this process.
 */
export function retryAfterMs(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || isResilienceError(error)) return undefined;
  try {
    const carrier = error as Carrier;
    if (typeof carrier.retryAfterMs === 'number') return atLeastZero(carrier.retryAfterMs);
    return parse(headerOf(carrier, 'retry-after')) ?? atLeastZero(pushbackOf(carrier));
  } catch {
    return undefined; // a getter that throws tells us nothing
  }
}

/**
 * Whether an error, or one that it was made of, is the answer of a service that retried to the end
 * already: the header `x-should-retry: false` (known from the clients of Stripe and OpenAI), or of
 * gRPC a `grpc-retry-pushback-ms` that is negative or no number (gRFC A6).
 */
export function forbidsRetry(error: unknown): boolean {
  return errorChain(error).some(saysNo);
}

function saysNo(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    const carrier = error as Carrier;
    const should = headerOf(carrier, SHOULD_RETRY);
    if (typeof should === 'string' && should.trim().toLowerCase() === 'false') return true;
    const pushbackMs = pushbackOf(carrier);
    return pushbackMs !== undefined && !(pushbackMs >= 0);
  } catch {
    return false;
  }
}

function headerOf({ response, headers }: Carrier, name: string): unknown {
  return valueIn(response?.headers, name) ?? valueIn(headers, name);
}

/** In ms; `NaN` where it is said, but is no number. */
function pushbackOf({ metadata }: Carrier): number | undefined {
  const said = valueIn(metadata, RETRY_PUSHBACK);
  if (said === undefined || said === null) return undefined;
  return /^\s*-?\d+\s*$/.test(String(said)) ? Number(said) : Number.NaN;
}

/** Of `Headers` and what is like them, of an object, or of undici's raw list of names and values. */
function valueIn(headers: unknown, name: string): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return first(get.call(headers, name)) ?? undefined;
  const entries = Array.isArray(headers) ? pairs(headers) : Object.entries(headers);
  return first(entries.find(([key]) => key.toLowerCase() === name)?.[1]);
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function pairs(list: unknown[]): [string, unknown][] {
  return list.flatMap((name, index) =>
    index % 2 === 0 ? [[String(name), text(list[index + 1])] as [string, unknown]] : [],
  );
}

function text(value: unknown): unknown {
  return Buffer.isBuffer(value) ? value.toString() : value;
}

function parse(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now()); // a date is wall-clock time
}

function atLeastZero(ms: number | undefined): number | undefined {
  return ms === undefined || Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
