import { read } from '../common/read.js';
import { errorChain } from '../errors/error-chain.js';
import { isRejection } from '../errors/resilience.error.js';

/** So many rejections may have come from each other. */
const MAX_REJECTIONS = 10;

/** Kept here and not in the errors, which may be frozen. */
const errors = new WeakSet<object>();
/** The scopes inside of which something was slowed down: where the time of one is up, this is why. */
const slowed = new WeakSet<object>();
/** The scopes that were answered by an injected result. */
const answered = new WeakSet<object>();
/** Those, and the scopes inside of which that happened: what they answer may be made of it. */
const feigned = new WeakSet<object>();
/** Until something is injected, nobody has to look. */
let isUsed = false;

interface Enclosed {
  readonly around?: Enclosed | undefined;
}

/** An error was injected, or is the consequence of what was. */
export function markAsChaos(error: unknown): void {
  if ((typeof error !== 'object' && typeof error !== 'function') || error === null) return;
  isUsed = true;
  errors.add(error);
}

/** An attempt was slowed down by what was injected, and so was whatever is around it, where it is a scope. */
export function noteSlowed(attempt: object): void {
  isUsed = true;
  for (let each: Enclosed | undefined = attempt; each !== undefined; each = each.around)
    slowed.add(each);
}

/** The time of a scope is up: its error is marked where that was slowed down. */
export function markIfSlowed(error: unknown, scope: object): void {
  if (isUsed && slowed.has(scope)) markAsChaos(error);
}

/** What an attempt answers is an injected result. */
export function noteAnswered(scope: object): void {
  isUsed = true;
  answered.add(scope);
  for (let each: Enclosed | undefined = scope; each !== undefined; each = each.around)
    feigned.add(each);
}

/** Whether what a scope answers may be made of an injected result: then it is not worth keeping. */
export function isFeigned(scope: object): boolean {
  return isUsed && feigned.has(scope);
}

/** The result of a scope counts as a failure: that is marked where it was injected. */
export function markIfAnswered(failure: unknown, scope: object | undefined): void {
  if (isUsed && scope !== undefined && answered.has(scope)) markAsChaos(failure);
}

/**
 * Whether an error was injected by chaos, or came of what was: the error itself or what it was made of, a
 * `TimeoutError` of what was made to hang, an injected result that counts as a failure, the rejection of a
 * circuit breaker that opened by one of these.
 */
export function isChaos(error: unknown): boolean {
  return isUsed && comesOfChaos(error, MAX_REJECTIONS);
}

function comesOfChaos(error: unknown, depth: number): boolean {
  const chain = errorChain(error);
  if (chain.some((each) => errors.has(each as object))) return true;
  const rejection = chain.find(isRejection);
  return rejection !== undefined && depth > 0 && comesOfChaos(read(rejection, 'cause'), depth - 1);
}
