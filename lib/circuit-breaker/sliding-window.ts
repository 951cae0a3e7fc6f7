import type { SlidingWindow, WindowCounts } from '../common/time-window.js';

const FAILED = 1;
const SLOW = 2;

/** The last `size` calls. */
export class CallWindow implements SlidingWindow {
  private outcomes: Uint8Array | undefined = undefined; // made at the first call: an idle breaker is small
  private position = 0;
  private readonly totals = { calls: 0, failures: 0, slow: 0 };

  constructor(private readonly size: number) {}

  record(_at: number, failed: boolean, slow: boolean): void {
    this.outcomes ??= new Uint8Array(this.size);
    const { totals, position } = this;
    if (totals.calls === this.size) this.forget(this.outcomes[position] as number);
    this.outcomes[position] = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.position = position + 1 === this.size ? 0 : position + 1;
    totals.calls++;
    if (failed) totals.failures++;
    if (slow) totals.slow++;
  }

  counts(): WindowCounts {
    return this.totals;
  }

  clear(): void {
    this.outcomes = undefined;
    this.position = 0;
    this.totals.calls = this.totals.failures = this.totals.slow = 0;
  }

  private forget(outcome: number): void {
    this.totals.calls--;
    if (outcome & FAILED) this.totals.failures--;
    if (outcome & SLOW) this.totals.slow--;
  }
}

/**
 * The times of the last `size` failures, exactly: tells whether they all lie within a time, which
 * buckets could only estimate.
 */
export class FailureTimes {
  private times: Float64Array | undefined = undefined;
  private position = 0;

  constructor(
    private readonly size: number,
    private readonly windowMs: number,
  ) {}

  /** @returns whether this failure and the `size - 1` before it lie within `windowMs` */
  add(at: number): boolean {
    this.times ??= new Float64Array(this.size).fill(Number.NEGATIVE_INFINITY);
    this.times[this.position] = at;
    this.position = this.position + 1 === this.size ? 0 : this.position + 1;
    return at - (this.times[this.position] as number) < this.windowMs; // the next to go is the oldest
  }

  clear(): void {
    this.times = undefined;
    this.position = 0;
  }
}
