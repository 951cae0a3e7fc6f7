import { read } from '../common/read.js';
import { RETRY_PUSHBACK, SHOULD_RETRY } from '../common/request-headers.js';
import { errorChain } from './error-chain.js';
import { headerOf, metadataOf } from './error-headers.js';
import { parseHttpDate } from './http-date.js';
import { meaningOf } from './resilience.error.js';

const RETRY_AFTER = 'retry-after';
/** In ms, as Azure and OpenAI have it. */
const RETRY_AFTER_MS = 'retry-after-ms';

/**
 * How long, in ms, the one who failed asks to be left alone: what the error itself says, else the
 * longest that those ask for which it was made of (`cause`, `errors`). An error says it by
 * `retryAfterMs`, by the header `retry-after-ms`, by `Retry-After` (RFC 9110 §10.2.3: whole seconds, or
 * one of the three forms of an HTTP date), or by gRPC's `grpc-retry-pushback-ms` in its `metadata`;
 * whatever else is in them is ignored. Of the library's own errors, which speak of this process, only those
 * count that say so, as that of a rate limit does.
 */
export function retryAfterMs(error: unknown): number | undefined {
  const own = askedBy(error);
  if (own !== undefined) return own;
  let longest: number | undefined;
  for (const inner of errorChain(error)) {
    const asked = askedBy(inner);
    if (asked !== undefined) longest = Math.max(longest ?? 0, asked);
  }
  return longest;
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
  const should = headerOf(error, SHOULD_RETRY);
  if (should?.split(',').some((each) => each.trim().toLowerCase() === 'false')) return true;
  const pushbackMs = pushbackOf(error);
  return pushbackMs !== undefined && !(pushbackMs >= 0);
}

/** The same by what one error says itself. */
export function askedBy(error: unknown): number | undefined {
  const meaning = meaningOf(error);
  if (meaning !== undefined && meaning.delaysRetries !== true) return undefined;
  const given = read(error, 'retryAfterMs');
  if (typeof given === 'number' && given >= 0) return given;
  const pushbackMs = pushbackOf(error);
  return (
    milliseconds(headerOf(error, RETRY_AFTER_MS)) ??
    delayOrDate(headerOf(error, RETRY_AFTER)) ??
    (pushbackMs !== undefined && pushbackMs >= 0 ? pushbackMs : undefined)
  );
}

function milliseconds(said: string | undefined): number | undefined {
  return said !== undefined && /^[ \t]*\d+(\.\d+)?[ \t]*$/.test(said) ? Number(said) : undefined;
}

function delayOrDate(said: string | undefined): number | undefined {
  if (said === undefined) return undefined;
  const text = said.replace(/^[ \t]+|[ \t]+$/g, '');
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const date = parseHttpDate(text);
  return date === undefined ? undefined : Math.max(0, date - Date.now()); // a date is wall-clock time
}

/** In ms; `NaN` where it is said, but is no number. */
function pushbackOf(error: unknown): number | undefined {
  const said = metadataOf(error, RETRY_PUSHBACK);
  if (said === undefined) return undefined;
  return /^\s*-?\d+\s*$/.test(said) ? Number(said) : Number.NaN;
}
