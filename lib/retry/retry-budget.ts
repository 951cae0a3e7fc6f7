import { TimeWindow } from '../common/time-window.js';
import {
  checkRetryBudgetOptions,
  type RetryBudgetOptions,
  resolveRetryBudgetOptions,
} from './retry-budget.options.js';

const SECOND = 1_000;
/** Calls do not come evenly either: in one second, so many seconds' share may be spent. */
const BURST_SECONDS = 2;
/** A window holds the calls of at least 95 % of it: this much longer, it holds all of those we mean. */
const ALL = 20 / 19;

/**
 * Bounds what retries add to the load of a dependency, so that they cannot keep it down: over the
 * window, retries ≤ ratio × first attempts + minRetriesPerSecond × window. It is spent evenly: in any
 * second, at most twice a second's share of that (or one retry).
 *
 * After Finagle's RetryBudget (its ratio, floor and time to live), as sliding windows instead of a
 * bucket, which would let the savings of quiet times out at once. Like Envoy since its issue 30205 it
 * counts a retry when it is scheduled.
 */
export class RetryBudget {
  readonly options: Readonly<Required<RetryBudgetOptions>>;
  private readonly firstAttempts: TimeWindow;
  private readonly retries: TimeWindow;
  private readonly latestRetries: TimeWindow;

  /** @throws ResilienceConfigurationError */
  constructor(
    readonly name: string,
    options: RetryBudgetOptions = {},
  ) {
    const place = `retry budget "${name}"`;
    this.options = resolveRetryBudgetOptions(checkRetryBudgetOptions(place, options));
    const { windowMs } = this.options;
    this.firstAttempts = new TimeWindow(windowMs);
    this.retries = new TimeWindow(windowMs * ALL);
    this.latestRetries = new TimeWindow(Math.min(windowMs, SECOND) * ALL);
  }

  /** A call begins. */
  recordFirstAttempt(at: number): void {
    this.firstAttempts.record(at, false, false);
  }

  /** @returns whether there may be another retry, which is counted then */
  tryRetry(at: number): boolean {
    const { ratio, minRetriesPerSecond, windowMs } = this.options;
    const allowed =
      ratio * this.firstAttempts.counts(at).calls + (minRetriesPerSecond * windowMs) / SECOND;
    const inASecond = Math.max(1, allowed * Math.min(1, (BURST_SECONDS * SECOND) / windowMs));
    if (this.retries.counts(at).calls + 1 > allowed) return false;
    if (this.latestRetries.counts(at).calls + 1 > inASecond) return false;
    this.retries.record(at, false, false);
    this.latestRetries.record(at, false, false);
    return true;
  }
}
