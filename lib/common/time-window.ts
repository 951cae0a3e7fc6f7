/** What a window holds at the moment. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/** The outcomes of the latest calls. Recording is O(1), and the memory is fixed. */
export interface SlidingWindow {
  record(at: number, failed: boolean, slow: boolean): void;
  /** @param at leaves out what has fallen out of the window by then */
  counts(at: number): WindowCounts;
  clear(): void;
}

const BUCKETS = 20;
const FIELDS = 3;

/**
 * The calls of the last `windowMs`, counted in 20 buckets: a call leaves the window after 95 to
 * 100 % of it. (resilience4j's time-based window does the same with buckets of a second.)
 */
export class TimeWindow implements SlidingWindow {
  private buckets: Uint32Array | undefined = undefined; // made at the first call: an idle breaker is small
  private current = 0;
  private readonly totals = { calls: 0, failures: 0, slow: 0 };
  private readonly bucketMs: number;

  constructor(windowMs: number) {
    this.bucketMs = Math.max(windowMs / BUCKETS, 0.001); // the buckets' numbers stay exact
  }

  record(at: number, failed: boolean, slow: boolean): void {
    this.buckets ??= this.start(at);
    this.advance(at);
    this.add(0, 'calls');
    if (failed) this.add(1, 'failures');
    if (slow) this.add(2, 'slow');
  }

  counts(at: number): WindowCounts {
    if (this.buckets !== undefined) this.advance(at);
    return this.totals;
  }

  clear(): void {
    this.buckets = undefined;
    this.totals.calls = this.totals.failures = this.totals.slow = 0;
  }

  private add(field: number, total: keyof WindowCounts): void {
    const { buckets, totals } = this;
    if (buckets === undefined) return;
    const index = (this.current % BUCKETS) * FIELDS + field;
    buckets[index] = (buckets[index] as number) + 1;
    totals[total]++;
  }

  private start(at: number): Uint32Array {
    this.current = Math.floor(at / this.bucketMs);
    return new Uint32Array(BUCKETS * FIELDS);
  }

  /** Empties the buckets that time has passed by: at most all 20, however long it was. */
  private advance(at: number): void {
    const target = Math.floor(at / this.bucketMs);
    const { buckets, totals } = this;
    if (target <= this.current || buckets === undefined) return;
    for (
      let bucket = Math.max(this.current + 1, target - BUCKETS + 1);
      bucket <= target;
      bucket++
    ) {
      const offset = (bucket % BUCKETS) * FIELDS;
      totals.calls -= buckets[offset] as number;
      totals.failures -= buckets[offset + 1] as number;
      totals.slow -= buckets[offset + 2] as number;
      buckets.fill(0, offset, offset + FIELDS);
    }
    this.current = target;
  }
}
