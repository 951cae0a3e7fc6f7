import { setImmediate } from 'node:timers'; // browser-like environments have none
import { now } from '../common/clock.js';
import { TURN_MS } from '../common/turn.js';
import { errorChain } from './error-chain.js';

/** A scope that makes calls in a loop for ever must not collect their errors for ever. */
const MAX_ERRORS = 1_000;

/**
 * The errors by which calls inside a scope have failed, retried until they gave up.
 *
 * An error that was made for one failure is that failure, wherever and however late it comes up. A
 * constant is not: who handled it may throw it again for a failure of its own. So one that several
 * attempts failed by, and whatever is no object, counts as passed on in the same turn of the event loop
 * only: after that, whoever throws it has gone on.
 */
export class RetriedErrors {
  /** Until when each is taken for passed on, on the monotonic clock. */
  private readonly errors = new Map<unknown, number>();

  add(error: unknown, isConstant: boolean): void {
    if (this.errors.size >= MAX_ERRORS) return;
    const isMade = typeof error === 'object' && error !== null && !isConstant;
    this.errors.set(error, isMade ? Number.POSITIVE_INFINITY : now() + TURN_MS);
    if (!isMade) setImmediate(() => this.errors.delete(error)).unref();
  }

  /** Whether it is one that several attempts of a call inside failed by, passed on in this turn. */
  isConstant(error: unknown): boolean {
    const until = this.errors.get(error);
    return until !== undefined && until !== Number.POSITIVE_INFINITY;
  }

  /** Whether it, or an error that it was made of, is one of them. */
  has(error: unknown): boolean {
    const at = now();
    return errorChain(error).some((each) => at < (this.errors.get(each) ?? 0));
  }
}
