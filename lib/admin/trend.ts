import type { Slice } from './slice.js';

/** So many slices are kept: 15 minutes. */
export const TREND_SLICES = 90;

/**
 * A slice on the page: calls, failures that callers saw, failures that they did not (answered by a fallback,
 * or tried again), and the 99th percentile in ms, where a call reached what it calls. 0 is a slice without
 * anything.
 */
export type TrendPoint = [calls: number, seen: number, hidden: number, p99: number | null] | 0;

/** Slices of ten seconds that are over, numbered as they come; those that were sent before stay. */
export interface Trends {
  first: number;
  last: number;
  /** Of all operations together. */
  all: TrendPoint[];
  /** Each up to the last slice; what is not known of it is left out before. Those without calls are not in it. */
  operations: [operation: string, points: TrendPoint[]][];
  /** Of bulkheads that find their limits out: how many might run at the end of each slice. */
  limits: [bulkhead: string, limits: number[]][];
}

const FIELDS = 4;

/** The slices of the last 15 minutes that are over, in a fixed memory of 1.5 kB. */
export class Trend {
  private readonly values = new Float32Array(TREND_SLICES * FIELDS);
  private last: number;

  /** @param first the number of the first slice; what was before is not known */
  constructor(private readonly first: number) {
    this.last = first - 1;
  }

  /** Slices come in their order; those that are left out had no calls. */
  add(slice: Slice): void {
    const { number, calls, failures, hidden, retries } = slice;
    for (let idle = Math.max(this.last + 1, number - TREND_SLICES); idle < number; idle++)
      this.values.fill(0, this.placeOf(idle), this.placeOf(idle) + FIELDS);
    const [p99 = 0] = slice.quantiles([0.99]); // that of a call is never 0
    this.values.set([calls, failures - hidden, hidden + retries, p99], this.placeOf(number));
    this.last = number;
  }

  /** From one slice to another, both included; what was before the first is left out. */
  points(from: number, to: number): TrendPoint[] {
    const points: TrendPoint[] = [];
    for (let number = Math.max(from, this.first); number <= to; number++)
      points.push(number > this.last ? 0 : this.point(number));
    return points;
  }

  private point(number: number): TrendPoint {
    const place = this.placeOf(number);
    const [calls = 0, seen = 0, hidden = 0, p99 = 0] = this.values.subarray(place, place + FIELDS);
    if (calls === 0 && hidden === 0) return 0;
    return [calls, seen, hidden, p99 === 0 ? null : Number(p99.toPrecision(3))];
  }

  private placeOf(number: number): number {
    return (number % TREND_SLICES) * FIELDS;
  }
}
