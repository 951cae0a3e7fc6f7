import type { MetricsRecorder, MetricTags } from '../index.js';
import { MetricTotals } from './metric-totals.js';
import { type OperationStats, RollingStats } from './rolling-stats.js';
import { Slice, sliceNumberOf } from './slice.js';
import { TREND_SLICES, Trend, type Trends } from './trend.js';

/** So many operations are told apart; the rest is shown as one, `__other__`. */
const MAX_OPERATIONS = 1_000;
const OTHER = '__other__';

/**
 * Listens to the library's metrics and keeps what each operation's calls came to: in the last minute, and
 * slice by slice in the last quarter of an hour.
 */
export class OperationCollector implements MetricsRecorder {
  private readonly operations = new Map<string, RollingStats>();
  private sum = new Slice();
  private readonly all: Together;
  /** Where the limits of adaptive bulkheads stood at the end of each slice. */
  private readonly limits = new Map<string, number[]>();
  private turned: number;
  /** What other metrics have come to. */
  readonly totals = new MetricTotals();

  /** @param now ms on a monotonic clock */
  constructor(private readonly now: () => number = () => performance.now()) {
    this.turned = sliceNumberOf(now());
    this.all = new Together(this.turned);
  }

  increment(name: string, tags: MetricTags = {}, by = 1): void {
    if (name !== 'requests.total' && name !== 'retry.attempt') {
      this.totals.count(name, tags, by);
      return;
    }
    const at = this.now();
    const stats = this.statsOf(tags, at);
    const { outcome } = tags;
    const hidden = outcome === 'fallback' || outcome === 'degraded';
    for (let count = 0; count < by; count++)
      if (name === 'retry.attempt') stats.retry(at);
      else stats.call(at, outcome !== 'success', hidden);
  }

  gauge(name: string, value: number, tags: MetricTags = {}): void {
    this.totals.set(name, value, tags);
  }

  /** Of the calls, those that reached what they call, and were not rejected before. */
  observe(name: string, value: number, tags: MetricTags = {}): void {
    if (name !== 'request.duration') return;
    const at = this.now();
    this.statsOf(tags, at).duration(at, value);
  }

  /** Every operation that was called since the start. */
  read(): Map<string, OperationStats> {
    const at = this.now();
    return new Map(
      [...this.operations].map(([name, stats]) => {
        this.sum = this.sum.renewed();
        return [name, stats.read(at, this.sum)];
      }),
    );
  }

  /** To be called once in each slice at least. @returns the number of the latest that is over */
  turn(): number {
    const number = sliceNumberOf(this.now());
    for (const stats of this.operations.values()) stats.end(number);
    this.all.end(number);
    for (; this.turned < number; this.turned++) this.keepLimits();
    return number - 1;
  }

  /** What there is of slices that are over. @param after the number of one: only of those after it */
  trends(after = -1): Trends {
    const last = this.turn();
    const first = Math.max(after + 1, last - TREND_SLICES + 1);
    const operations: Trends['operations'] = [];
    for (const [name, stats] of this.operations) {
      const points = stats.points(first, last);
      if (after < 0 || points.some((point) => point !== 0)) operations.push([name, points]);
    }
    const limits = [...this.limits].map(([name, values]): [string, number[]] => [
      name,
      values.slice(-(last - first + 1)),
    ]);
    return { first, last, all: this.all.trend.points(first, last), operations, limits };
  }

  private keepLimits(): void {
    for (const { tags, value } of this.totals.of('bulkhead.limit')) {
      const name = String(tags.bulkhead);
      const values = this.limits.get(name) ?? [];
      values.push(value);
      if (values.length > TREND_SLICES) values.shift();
      this.limits.set(name, values);
    }
  }

  private statsOf(tags: MetricTags, at: number): RollingStats {
    const name = String(tags.operation);
    const known = this.operations.get(name);
    if (known !== undefined) return known;
    if (this.operations.size >= MAX_OPERATIONS && name !== OTHER)
      return this.statsOf({ operation: OTHER }, at);
    const stats = new RollingStats(at, (slice) => this.all.add(slice));
    this.operations.set(name, stats);
    return stats;
  }
}

/** The slices of all operations, added up as each is over. */
class Together {
  readonly trend: Trend;
  private sum: Slice;

  /** @param first the number of the first slice */
  constructor(first: number) {
    this.trend = new Trend(first);
    this.sum = new Slice(first);
  }

  add(slice: Slice): void {
    if (slice.number > this.sum.number) this.begin(slice.number);
    this.sum.add(slice);
  }

  end(number: number): void {
    if (number > this.sum.number) this.begin(number);
  }

  private begin(number: number): void {
    this.trend.add(this.sum);
    this.sum = this.sum.renewed(number);
  }
}
