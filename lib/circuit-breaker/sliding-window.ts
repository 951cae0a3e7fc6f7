import { clock } from '../common/clock.js';
import type { SlidingWindow, WindowCounts } from '../common/time-window.js';

const FAILED = 1;
const SLOW = 2;

/** The last `size` calls. */
export class CallWindow implements SlidingWindow {
  calls = 0;
  failures = 0;
  slow = 0;
  private readonly outcomes: Uint8Array;
  private position = 0;

  constructor(private readonly size: number) {
    this.outcomes = new Uint8Array(size);
  }

  record(_at: number, failed: boolean, slow: boolean): void {
    const { position, outcomes, size } = this;
    if (this.calls === size) this.forget(outcomes[position] as number);
    outcomes[position] = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    this.position = position + 1 === size ? 0 : position + 1;
    this.calls++;
    if (failed) this.failures++;
    if (slow) this.slow++;
  }

  counts(): WindowCounts {
    return this;
  }

  /** As a digit for each, the oldest first: 1 for failed, 2 for slow, 3 for both. */
  list(): string {
    const { outcomes, position } = this;
    const before = this.calls < this.size ? [] : outcomes.subarray(position);
    return [...before, ...outcomes.subarray(0, position)].join('');
  }

  /** Takes such calls in as later ones. */
  add(digits: string): void {
    for (const digit of digits.slice(-this.size)) {
      const outcome = Number(digit);
      this.record(0, (outcome & FAILED) !== 0, (outcome & SLOW) !== 0);
    }
  }

  private forget(outcome: number): void {
    this.calls--;
    if (outcome & FAILED) this.failures--;
    if (outcome & SLOW) this.slow--;
  }
}

/**
 * The times of the last `size` failures, exactly: tells whether they all lie within a time, which
 * buckets could only estimate.
 */
export class FailureTimes {
  private readonly times: Float64Array;
  private position = 0;
  private era = clock.era;

  constructor(
    private readonly size: number,
    private readonly windowMs: number,
  ) {
    this.times = new Float64Array(size).fill(Number.NEGATIVE_INFINITY);
  }

  /** @returns whether this failure and the `size - 1` before it lie within `windowMs` */
  add(at: number): boolean {
    if (this.era !== clock.era) this.followClock();
    this.times[this.position] = at;
    this.position = this.position + 1 === this.size ? 0 : this.position + 1;
    return at - (this.times[this.position] as number) < this.windowMs; // the next to go is the oldest
  }

  /** Those that are known, the oldest first. */
  list(): number[] {
    if (this.era !== clock.era) this.followClock();
    const { position, times } = this;
    return [...times.subarray(position), ...times.subarray(0, position)].filter(Number.isFinite);
  }

  /** All failures so far count as of the beginning of the new clock. */
  private followClock(): void {
    this.era = clock.era;
    this.times.forEach((time, index) => {
      if (time !== Number.NEGATIVE_INFINITY) this.times[index] = clock.eraBeganAt;
    });
  }
}
