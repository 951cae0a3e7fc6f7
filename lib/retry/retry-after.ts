import { isResilienceError } from '../common/resilience.error.js';

interface RetryAfterCarrier {
  retryAfterMs?: unknown;
  headers?: unknown;
  response?: { headers?: unknown } | null;
}

/**
 * How long, in ms, the one who failed asks to be left alone: `error.retryAfterMs`, or the
 * `Retry-After` header (seconds or an HTTP date, RFC 9110 §10.2.3) in `error.response.headers` or
 * `error.headers`. The library's own errors do not count: they speak of this process.
 */
export function retryAfterMs(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || isResilienceError(error)) return undefined;
  try {
    const carrier = error as RetryAfterCarrier;
    if (typeof carrier.retryAfterMs === 'number') return atLeastZero(carrier.retryAfterMs);
    return parse(header(carrier.response?.headers) ?? header(carrier.headers));
  } catch {
    return undefined; // a getter that throws tells us nothing
  }
}

function header(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return get.call(headers, 'retry-after') ?? undefined;
  const entry = Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after');
  return Array.isArray(entry?.[1]) ? entry[1][0] : entry?.[1];
}

function parse(value: unknown): number | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now()); // a date is wall-clock time
}

function atLeastZero(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
