import { SLICE_MS, Slice, sliceNumberOf } from './slice.js';
import { Trend, type TrendPoint } from './trend.js';

const SLICES = 6;
const SHARES = [0.5, 0.95, 0.99];

/** What the calls of an operation came to in the last minute. */
export interface OperationStats {
  calls: number;
  /** Per second. */
  rate: number;
  /** Calls whose last attempt failed, also where the caller got something else instead: 0 to 100. */
  errorRate: number;
  /** Of all calls, those that a fallback or a degradation answered: 0 to 100. */
  hiddenRate: number;
  retries: number;
  /** Of calls that reached what they call, in ms, within 1 %; none without such calls. */
  p50?: number;
  p95?: number;
  p99?: number;
}

/** The calls of one operation over the last 50 to 60 s, in slices of 10 s, and what came of those before. */
export class RollingStats {
  private readonly slices: (Slice | undefined)[] = new Array(SLICES);
  private readonly since: number;
  private readonly trend: Trend;
  /** The one that goes on. */
  private current: Slice | undefined = undefined;

  /**
   * @param at now, in ms on a monotonic clock, like every `at` here
   * @param ended is told of each slice when it is over
   */
  constructor(
    at: number,
    private readonly ended: (slice: Slice) => void = () => undefined,
  ) {
    this.since = at;
    this.trend = new Trend(sliceNumberOf(at));
  }

  call(at: number, failed: boolean, hidden: boolean): void {
    const slice = this.slice(at);
    slice.calls++;
    if (failed) slice.failures++;
    if (hidden) slice.hidden++;
  }

  /** Of a call that was not rejected: how fast that is, is no latency. */
  duration(at: number, durationMs: number): void {
    this.slice(at).duration(durationMs);
  }

  retry(at: number): void {
    this.slice(at).retries++;
  }

  /** Whatever is before this slice is over. */
  end(number: number): void {
    const { current } = this;
    if (current === undefined || current.number >= number) return;
    this.current = undefined;
    this.trend.add(current);
    this.ended(current);
  }

  /** Of slices that are over. */
  points(from: number, to: number): TrendPoint[] {
    return this.trend.points(from, to);
  }

  /** @param sum empty; made once for all operations, one after the other */
  read(at: number, sum: Slice): OperationStats {
    const first = sliceNumberOf(at) - SLICES + 1;
    for (const [index, slice] of this.slices.entries()) {
      if (slice === undefined) continue;
      if (slice.number >= first) sum.add(slice);
      else if (slice !== this.current) this.slices[index] = undefined; // an idle operation keeps no memory
    }
    const [p50, p95, p99] = sum.quantiles(SHARES);
    return {
      calls: sum.calls,
      rate: sum.calls / this.coveredSeconds(at, first),
      errorRate: percent(sum.failures, sum.calls),
      hiddenRate: percent(sum.hidden, sum.calls),
      retries: sum.retries,
      ...(p50 === undefined ? {} : { p50, p95, p99 }),
    };
  }

  /** Not the whole minute while the operation is younger than that, but a second at least. */
  private coveredSeconds(at: number, firstSlice: number): number {
    return Math.max(1_000, at - Math.max(this.since, firstSlice * SLICE_MS)) / 1_000;
  }

  private slice(at: number): Slice {
    const number = sliceNumberOf(at);
    if (this.current?.number === number) return this.current;
    this.end(number);
    const index = number % SLICES;
    const fresh = this.slices[index]?.renewed(number) ?? new Slice(number);
    this.slices[index] = fresh;
    this.current = fresh;
    return fresh;
  }
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
