import { now } from '../common/clock.js';
import { onNextTurn } from '../common/next-turn.js';
import { TURN_MS } from '../common/turn.js';
import { errorChain } from './error-chain.js';

/** Counts how often any call has given up: what it stands at tells before from after. */
let count = 0;

/** How often any call has given up so far. */
export function givenUp(): number {
  return count;
}

/** An error that is handed on in this turn of the event loop only. */
interface Passing {
  readonly count: number;
  /** On the monotonic clock. */
  readonly untilMs: number;
}

/**
 * The errors by which calls inside a scope have failed, retried until they gave up.
 *
 * An error that was made for one failure is that failure, wherever and however late it comes up. A
 * constant is not: who handled it may throw it again for a failure of its own. So one that several
 * attempts failed by, and whatever is no object, counts as passed on in the same turn of the event loop
 * only: after that, whoever throws it has gone on.
 */
export class RetriedErrors {
  /** How often any call had given up when each was added. It keeps none of them alive. */
  private readonly made = new WeakMap<object, number>();
  private readonly passing = new Map<unknown, Passing>();

  add(error: unknown, isConstant: boolean): void {
    count++;
    if (isObject(error) && !isConstant) {
      this.made.set(error, count);
      return;
    }
    this.passing.set(error, { count, untilMs: now() + TURN_MS });
    onNextTurn(() => this.passing.delete(error));
  }

  /** Whether it is one that several attempts of a call inside failed by, passed on in this turn. */
  isConstant(error: unknown): boolean {
    return this.passing.has(error) && !(isObject(error) && this.made.has(error));
  }

  /** Whether it, or an error that it was made of, was added when so many calls had given up, or later. */
  has(error: unknown, since = 0): boolean {
    const at = now();
    return errorChain(error).some((each) => {
      if (isObject(each) && (this.made.get(each) ?? 0) > since) return true;
      const passing = this.passing.get(each);
      return passing !== undefined && passing.count > since && at < passing.untilMs;
    });
  }

  /** Whether it was added before so many calls had given up: then it is no error of one failure alone. */
  hadBefore(error: unknown, since: number): boolean {
    return isObject(error) && (this.made.get(error) ?? Number.POSITIVE_INFINITY) <= since;
  }
}

/** Those of calls that are inside of no scope. */
export const retriedOutside = new RetriedErrors();

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
