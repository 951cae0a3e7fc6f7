import { RecentValues } from '../common/recent-values.js';
import { isDeadline } from '../context/ambient.js';
import type { Scope } from '../context/scope.js';
import { isImpatience } from '../errors/resilience.error.js';

/**
 * How a run ended: with an answer, by an error, or (with whatever) after the deadline of who had
 * asked for it. @internal
 */
export type RunEnd = 'answer' | 'error' | 'deadline';

/** How a run ended that had a slot for `scope`; `undefined` where a client's impatience cut it, which says nothing. */
export function endOfRun(scope: Scope | undefined, answered: boolean): RunEnd | undefined {
  if (scope?.aborted && isDeadline(scope.reason))
    return isImpatience(scope.reason) ? undefined : 'deadline';
  return answered ? 'answer' : 'error';
}

/** So many of the latest runs count: half of them are enough to follow a change of the load. */
const WINDOW = 31;

/** Fewer say nothing. */
const MINIMUM_RUNS = 5;

const MEDIAN = 50;
const MOST = 90;

/** Clocks count in fractions of a ms, and sums of fractions are not exact. */
const RESOLUTION_MS = 0.001;

/** How long a run takes, by the latest 31, and whether one can still be in time. */
export class RunTimes {
  private readonly latest = new RecentValues(WINDOW);

  /** Whether there have been enough runs to tell. */
  get known(): boolean {
    return this.latest.count >= MINIMUM_RUNS;
  }

  /**
   * @param end what fails fast does not say how long an answer takes, and must not make a slow
   * dependency look fast; what fails late says "at least so long"
   */
  record(measuredMs: number, end: RunEnd): void {
    const durationMs = Math.round(measuredMs * 1_000) / 1_000; // differences of fractions are not exact
    if (end !== 'answer' && durationMs < this.percentileMs(MEDIAN)) return;
    this.latest.add(durationMs);
  }

  /** Whether a typical run that starts now would not meet the deadline any more. */
  isTooLate(deadline: number, at: number): boolean {
    return deadline - at + RESOLUTION_MS < this.percentileMs(MEDIAN);
  }

  /** Whether one of ten runs that start now would not meet the deadline. */
  isRisky(deadline: number, at: number): boolean {
    return deadline - at + RESOLUTION_MS < this.percentileMs(MOST);
  }

  /** 0 until there have been enough runs to tell. */
  private percentileMs(percent: number): number {
    return this.known ? (this.latest.percentile(percent) as number) : 0;
  }
}
