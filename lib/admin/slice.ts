import { LatencySketch } from '../index.js';

export const SLICE_MS = 10_000;

/** @param at ms on a monotonic clock */
export function sliceNumberOf(at: number): number {
  return Math.floor(at / SLICE_MS);
}

/** What calls came to in ten seconds, or in several of these. */
export class Slice {
  calls = 0;
  /** Calls whose last attempt failed, also where the caller got something else instead. */
  failures = 0;
  /** Of those, the ones that a fallback or a degradation answered. */
  hidden = 0;
  /** Attempts that failed and were followed by another. */
  retries = 0;

  /** @param latencies is used for this one from now on, and cleared; made when there is something to put into it */
  constructor(
    readonly number = 0,
    private latencies?: LatencySketch,
  ) {
    latencies?.clear();
  }

  duration(durationMs: number): void {
    this.latencies ??= new LatencySketch();
    this.latencies.record(durationMs);
  }

  add(other: Slice): void {
    this.calls += other.calls;
    this.failures += other.failures;
    this.hidden += other.hidden;
    this.retries += other.retries;
    if (other.latencies === undefined) return;
    this.latencies ??= new LatencySketch();
    this.latencies.add(other.latencies);
  }

  /** In ms; nothing where no call reached what it calls. */
  quantiles(shares: readonly number[]): number[] {
    return this.latencies?.quantiles(shares) ?? [];
  }

  /** The next one, in the memory of this one. */
  renewed(number = 0): Slice {
    return new Slice(number, this.latencies);
  }
}
