import { clock } from './clock.js';

/** What a window holds at the moment. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/** Of calls that are counted together, and when they ended, on the monotonic clock. */
export interface TimedCounts extends WindowCounts {
  readonly at: number;
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
  /** Of the newest bucket, so that most calls touch no other memory: they are kept in `buckets` once its time is over. */
  private newestCalls = 0;
  private newestFailures = 0;
  private newestSlow = 0;
  /** What is remembered from before the clock began is at most a window older. */
  private newest = -BUCKETS - 1;
  private endsAt = Number.NEGATIVE_INFINITY;
  private era = clock.era;
  private readonly bucketMs: number;
  private buckets: Uint32Array | undefined = undefined;

  constructor(windowMs: number) {
    this.bucketMs = Math.max(windowMs / BUCKETS, 0.001); // the buckets' numbers stay exact
  }

  record(at: number, failed: boolean, slow: boolean): void {
    if (at >= this.endsAt || this.era !== clock.era) this.advance(at);
    this.calls++;
    this.newestCalls++;
    if (failed) {
      this.failures++;
      this.newestFailures++;
    }
    if (slow) {
      this.slow++;
      this.newestSlow++;
    }
  }

  counts(at: number): WindowCounts {
    if (at >= this.endsAt || this.era !== clock.era) this.advance(at);
    return this;
  }

  /** Takes in what another has counted, later than all that is in it. */
  add({ at, calls, failures, slow }: TimedCounts): void {
    if (at >= this.endsAt || this.era !== clock.era) this.advance(at);
    this.calls += calls;
    this.newestCalls += calls;
    this.failures += failures;
    this.newestFailures += failures;
    this.slow += slow;
    this.newestSlow += slow;
  }

  /** All that it holds, bucket by bucket, the oldest first: each counts as of when its bucket began. */
  list(at: number): TimedCounts[] {
    this.counts(at);
    const { bucketMs, newest } = this;
    const buckets = this.keepNewest();
    [this.newestCalls, this.newestFailures, this.newestSlow] = this.bucketOf(newest, buckets);
    const listed: TimedCounts[] = [];
    for (let bucket = newest - BUCKETS + 1; bucket <= newest; bucket++) {
      const [calls, failures, slow] = this.bucketOf(bucket, buckets);
      if (calls > 0) listed.push({ at: bucket * bucketMs, calls, failures, slow });
    }
    return listed;
  }

  private bucketOf(bucket: number, buckets: Uint32Array): [number, number, number] {
    const offset = offsetOf(bucket);
    const [calls = 0, failures = 0, slow = 0] = buckets.subarray(offset, offset + FIELDS);
    return [calls, failures, slow];
  }

  /** Empties the buckets that time has passed by: at most all 20, however long it was. */
  private advance(at: number): void {
    if (this.era !== clock.era) this.followClock();
    const target = Math.floor(at / this.bucketMs);
    if (target <= this.newest) {
      this.begin(this.newest);
      return;
    }
    if (this.calls === 0 && this.buckets === undefined) {
      this.begin(target); // the first call of all, and mostly of one that has no others
      return;
    }
    const buckets = this.keepNewest();
    for (let bucket = Math.max(this.newest + 1, target - BUCKETS + 1); bucket <= target; bucket++) {
      const offset = offsetOf(bucket);
      this.calls -= buckets[offset] as number;
      this.failures -= buckets[offset + 1] as number;
      this.slow -= buckets[offset + 2] as number;
      buckets.fill(0, offset, offset + FIELDS);
    }
    this.begin(target);
  }

  private keepNewest(): Uint32Array {
    this.buckets ??= new Uint32Array(BUCKETS * FIELDS);
    const { newestCalls, newestFailures, newestSlow } = this;
    this.buckets.set([newestCalls, newestFailures, newestSlow], offsetOf(this.newest));
    this.newestCalls = 0;
    this.newestFailures = 0;
    this.newestSlow = 0;
    return this.buckets;
  }

  private begin(bucket: number): void {
    this.newest = bucket;
    this.endsAt = (bucket + 1) * this.bucketMs;
  }

  /** All that it holds counts as of the beginning of the new clock. */
  private followClock(): void {
    this.era = clock.era;
    this.buckets?.fill(0);
    this.newestCalls = this.calls;
    this.newestFailures = this.failures;
    this.newestSlow = this.slow;
    this.begin(Math.floor(clock.eraBeganAt / this.bucketMs));
  }
}

/** Of a bucket that may have begun before the clock did. */
function offsetOf(bucket: number): number {
  return (((bucket % BUCKETS) + BUCKETS) % BUCKETS) * FIELDS;
}
