import { clock } from './clock.js';

/** What a window holds at the moment. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/** The outcomes of the latest calls. Recording is O(1), and the memory is fixed. */
export interface SlidingWindow extends WindowCounts {
  record(at: number, failed: boolean, slow: boolean): void;
  /** @param at leaves out what has fallen out of the window by then */
  counts(at: number): WindowCounts;
}

const BUCKETS = 20;
const FIELDS = 3;

/**
 * The calls of the last `windowMs`, counted in 20 buckets: a call leaves the window after 95 to
 * 100 % of it. (resilience4j's time-based window does the same with buckets of a second.)
 */
export class TimeWindow implements SlidingWindow {
  calls = 0;
  failures = 0;
  slow = 0;
  private readonly buckets = new Uint32Array(BUCKETS * FIELDS);
  private readonly bucketMs: number;
  /** The number of the newest bucket, where it begins in `buckets`, and when its time is over. */
  private current = 0;
  private offset = 0;
  private endsAt = Number.NEGATIVE_INFINITY;
  private era = clock.era;

  constructor(windowMs: number) {
    this.bucketMs = Math.max(windowMs / BUCKETS, 0.001); // the buckets' numbers stay exact
  }

  record(at: number, failed: boolean, slow: boolean): void {
    if (at >= this.endsAt || this.era !== clock.era) this.advance(at);
    const { buckets, offset } = this;
    this.calls++;
    buckets[offset] = (buckets[offset] as number) + 1;
    if (failed) {
      this.failures++;
      buckets[offset + 1] = (buckets[offset + 1] as number) + 1;
    }
    if (slow) {
      this.slow++;
      buckets[offset + 2] = (buckets[offset + 2] as number) + 1;
    }
  }

  counts(at: number): WindowCounts {
    if (at >= this.endsAt || this.era !== clock.era) this.advance(at);
    return this;
  }

  /** Empties the buckets that time has passed by: at most all 20, however long it was. */
  private advance(at: number): void {
    if (this.era !== clock.era) this.followClock();
    const target = Math.floor(at / this.bucketMs);
    const { buckets } = this;
    for (
      let bucket = Math.max(this.current + 1, target - BUCKETS + 1);
      bucket <= target;
      bucket++
    ) {
      const offset = (bucket % BUCKETS) * FIELDS;
      this.calls -= buckets[offset] as number;
      this.failures -= buckets[offset + 1] as number;
      this.slow -= buckets[offset + 2] as number;
      buckets.fill(0, offset, offset + FIELDS);
    }
    this.moveTo(Math.max(this.current, target));
  }

  private moveTo(bucket: number): void {
    this.current = bucket;
    this.offset = (bucket % BUCKETS) * FIELDS;
    this.endsAt = (bucket + 1) * this.bucketMs;
  }

  /** All that it holds counts as of the beginning of the new clock. */
  private followClock(): void {
    this.era = clock.era;
    this.moveTo(Math.floor(clock.eraBeganAt / this.bucketMs));
    this.buckets.fill(0);
    this.buckets.set([this.calls, this.failures, this.slow], this.offset);
  }
}
