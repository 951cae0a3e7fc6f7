import type { Permit } from '../attempt/attempt-stage.js';
import type { AdaptiveLimit } from '../common/adaptive-limit.js';
import type { Scope } from '../context/scope.js';
import { endOfRun, RunTimes } from './run-times.js';
import { UNTIMED } from './slot-permit.js';

/** One in so many runs is timed where nobody waits: enough to know the load before it is too much. */
const TIMED_RUNS = 8;

/** How long the runs of a bulkhead take, and what follows from it for those who wait and for its limit. */
export class MeasuredRuns {
  private readonly times = new RunTimes();
  private untimed = 0;
  /** Finds the limit out, where it is to be found out. */
  adaptive: AdaptiveLimit | undefined = undefined;

  /**
   * Whether to time the run that has just got a slot without waiting. The clock and the books cost as
   * much as the rest of the bulkhead, so they are for where it may matter.
   */
  isTimed(isLastSlot: boolean): boolean {
    if (isLastSlot || !this.times.known || this.adaptive !== undefined) return true;
    return ++this.untimed % TIMED_RUNS === 0;
  }

  /**
   * Learns from how a run went whose time was taken.
   *
   * @returns the limit, where that has been found out
   */
  learn(
    permit: Permit,
    scope: Scope | undefined,
    answered: boolean,
    at: number,
    running: number,
  ): number | undefined {
    if (typeof permit !== 'number' || permit === UNTIMED) return undefined;
    const end = endOfRun(scope, answered);
    if (end === undefined) return undefined;
    const durationMs = Math.max(0, at - permit); // a test may have put the clock back
    this.times.record(durationMs, end);
    if (this.adaptive === undefined || end === 'error') return undefined;
    this.adaptive.sample(durationMs, running, end === 'deadline');
    return this.adaptive.limit;
  }

  /**
   * Whether a run that starts now would hardly be in time.
   *
   * @param isCrowded others wait too: in an overload every call of a queue starts when it is just not too
   * late, and by a typical run alone, half of them would end in vain. Then the slot is better left to the next.
   */
  isTooLate(deadline: number, at: number, isCrowded: boolean): boolean {
    return isCrowded ? this.times.isRisky(deadline, at) : this.times.isTooLate(deadline, at);
  }
}
