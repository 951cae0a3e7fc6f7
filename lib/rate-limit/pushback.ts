import { read } from '../common/read.js';
import { statusesOf } from '../errors/client-error.js';
import { errorChain } from '../errors/error-chain.js';
import { headerOf } from '../errors/error-headers.js';
import { askedBy } from '../errors/retry-after.js';
import { firstToHear } from './first-to-hear.js';
import { isUsedUp, resetMs } from './rate-limit-fields.js';

const TOO_MANY_REQUESTS = 429;
const SERVICE_UNAVAILABLE = 503;
/** The same of gRPC. */
const RESOURCE_EXHAUSTED = 8;

/** What is said to take longer is hardly meant so, and nobody would wait for it. */
export const LONGEST_MS = 24 * 60 * 60 * 1_000;

/**
 * How long, in ms, a partner asks all callers to stay away: the longest that an error, or one of those that
 * it was made of, says. `undefined` where none says that there were too many, and for how long.
 *
 * @param listener who asks: what another has heard before was said to that one
 */
export function pauseAskedBy(error: unknown, listener: object): number | undefined {
  let longest: number | undefined;
  for (const each of errorChain(error)) {
    const asked = askedByAnswer(each);
    if (asked !== undefined && firstToHear(each, listener)) longest = Math.max(longest ?? 0, asked);
  }
  return bounded(longest);
}

/** The same of a result that is an answer of HTTP, such as a `Response`: also where nothing is left after it. */
export function pauseToldBy(result: unknown, listener: object): number | undefined {
  if (statusesOf(result).length === 0) return undefined;
  const header = (name: string) => headerOf(result, name);
  const told = askedByAnswer(result) ?? (isUsedUp(header) ? resetMs(header) : undefined);
  return told !== undefined && firstToHear(result, listener) ? bounded(told) : undefined;
}

function bounded(ms: number | undefined): number | undefined {
  return ms !== undefined && ms > 0 ? Math.min(ms, LONGEST_MS) : undefined;
}

function askedByAnswer(error: unknown): number | undefined {
  const statuses = statusesOf(error);
  if (statuses.includes(TOO_MANY_REQUESTS))
    return askedBy(error) ?? resetMs((name) => headerOf(error, name));
  const isBusy =
    statuses.includes(SERVICE_UNAVAILABLE) || read(error, 'code') === RESOURCE_EXHAUSTED;
  return isBusy ? askedBy(error) : undefined;
}
