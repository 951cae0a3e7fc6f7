import { LatencySketch } from '../index.js';

const SLICES = 6;
const SLICE_MS = 10_000;
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

interface Slice {
  number: number;
  calls: number;
  failures: number;
  hidden: number;
  retries: number;
  /** Made when there is something to put into it. */
  latencies: LatencySketch | undefined;
}

/** The calls of one operation over the last 50 to 60 s, in slices of 10 s. */
export class RollingStats {
  private readonly slices: (Slice | undefined)[] = new Array(SLICES);
  private readonly since: number;

  /** @param at now, in ms on a monotonic clock, like every `at` here */
  constructor(at: number) {
    this.since = at;
  }

  call(at: number, failed: boolean, hidden: boolean): void {
    const slice = this.slice(at);
    slice.calls++;
    if (failed) slice.failures++;
    if (hidden) slice.hidden++;
  }

  /** Of a call that was not rejected: how fast that is, is no latency. */
  duration(at: number, durationMs: number): void {
    const slice = this.slice(at);
    slice.latencies ??= new LatencySketch();
    slice.latencies.record(durationMs);
  }

  retry(at: number): void {
    this.slice(at).retries++;
  }

  /** @param merged is overwritten: one sketch serves all operations, one after the other */
  read(at: number, merged: LatencySketch): OperationStats {
    const first = numberOf(at) - SLICES + 1;
    const sum = { calls: 0, failures: 0, hidden: 0, retries: 0 };
    merged.clear();
    for (const [index, slice] of this.slices.entries()) {
      if (slice === undefined) continue;
      if (slice.number < first) {
        this.slices[index] = undefined; // an idle operation keeps no memory
        continue;
      }
      sum.calls += slice.calls;
      sum.failures += slice.failures;
      sum.hidden += slice.hidden;
      sum.retries += slice.retries;
      if (slice.latencies !== undefined) merged.add(slice.latencies);
    }
    const [p50, p95, p99] = merged.quantiles(SHARES);
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
    const number = numberOf(at);
    const index = number % SLICES;
    const slice = this.slices[index];
    if (slice?.number === number) return slice;
    const latencies = slice?.latencies;
    latencies?.clear();
    const fresh = { number, calls: 0, failures: 0, hidden: 0, retries: 0, latencies };
    this.slices[index] = fresh;
    return fresh;
  }
}

function numberOf(at: number): number {
  return Math.floor(at / SLICE_MS);
}

function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (part / whole) * 100;
}
