import { areTimersFaked, now } from '../common/clock.js';
import { onNextTurn } from '../common/next-turn.js';
import { errorChain } from '../errors/error-chain.js';
import { identityOf } from '../errors/failed-result.js';

/** Where a test fakes timers, turns of the event loop tell nothing, and so much of its time, in ms, is one. */
const FAKED_TURN_MS = 5;

/** So many reactions of promises may lie between the end of a call and that of the one around it. */
const REACTIONS = 32;

/** Counts failures of attempts, and calls that have given up: what it stands at tells before from after. */
let count = 0;

/** So many failures there have been so far. */
export function failuresSoFar(): number {
  return count;
}

/** When each error first failed an attempt. */
const firstFailures = new WeakMap<object, number>();
const constants = new WeakSet<object>();

/**
 * An attempt has failed that began when there had been so many failures. If its error had failed another
 * by then, it was not made for this failure: it is a constant.
 */
export function noteFailure(error: unknown, since: number): void {
  const failure = identityOf(error);
  if (!isObject(failure)) return;
  const first = firstFailures.get(failure);
  if (first === undefined) firstFailures.set(failure, ++count);
  else if (first <= since) constants.add(failure);
}

/** Whether several failures have the very same error. */
export function isConstant(error: unknown): boolean {
  const failure = identityOf(error);
  return !isObject(failure) || constants.has(failure);
}

/** A constant that is handed on in this turn of the event loop only. */
interface Passing {
  readonly count: number;
  /** On the monotonic clock. */
  readonly untilMs: number;
  /** Those who wait for the call that has failed by it may not have gone on yet. */
  isFresh: boolean;
}

/**
 * The errors by which calls inside a scope have failed, retried until they gave up.
 *
 * An error that was made for one failure is that failure, wherever and however late it comes up. A
 * constant is not: who handled it may throw it again for a failure of its own. So a constant, and whatever
 * is no object, counts as passed on in the same turn of the event loop only: after that, whoever throws it
 * has gone on.
 */
export class RetriedErrors {
  /** When each was added. It keeps none of them alive. */
  private readonly made = new WeakMap<object, number>();
  private readonly passing = new Map<unknown, Passing>();

  /** @param passes whether it is a constant, handed on */
  add(error: unknown, passes: boolean): void {
    count++;
    const failure = identityOf(error);
    if (isObject(failure) && !passes) {
      this.made.set(failure, count);
      return;
    }
    const untilMs = areTimersFaked() ? now() + FAKED_TURN_MS : Number.POSITIVE_INFINITY;
    const passing = { count, untilMs, isFresh: true };
    this.passing.set(failure, passing);
    age(passing, REACTIONS);
    onNextTurn(() => this.passing.delete(failure));
  }

  /** Whether it, or an error that it was made of, is one of them. */
  has(error: unknown): boolean {
    const at = now();
    return errorChain(error).some(
      (each) => this.timeOf(each) > 0 || at < (this.passing.get(each)?.untilMs ?? 0),
    );
  }

  /**
   * The same for an attempt that has no scope of its own, which began when there had been so many failures:
   * others may be beside it that fail by the same constant.
   */
  hasSince(error: unknown, since: number): boolean {
    return errorChain(error).some((each) => {
      const passing = this.passing.get(each);
      return this.timeOf(each) > since || (passing?.isFresh === true && passing.count > since);
    });
  }

  /** Whether it is a constant, passed on in this turn. */
  passes(error: unknown): boolean {
    return this.passing.has(identityOf(error));
  }

  private timeOf(error: unknown): number {
    return isObject(error) ? (this.made.get(error) ?? 0) : 0;
  }
}

/** Those of calls that are inside of no scope. */
export const retriedOutside = new RetriedErrors();

/** No timer and no input comes between the reactions that lead to one another. */
function age(passing: Passing, left: number): void {
  if (left === 0) passing.isFresh = false;
  else queueMicrotask(() => age(passing, left - 1));
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
