import type { MetricTags } from '../index.js';

/** What is shown as it was counted, or as it stands. */
const KEPT: ReadonlySet<string> = new Set([
  'bulkhead.limit',
  'coalesce.joined',
  'hedge.attempt',
  'hedge.won',
  'rate_limit.paused',
  'shadow.opened',
  'shadow.rejected',
  'shadow.timeout',
  'shedding.event_loop_delay',
  'shedding.in_flight',
  'shedding.limit',
  'shedding.rejected',
]);

/** What comes after so many is not kept. */
const MAX_SERIES = 5_000;

export interface Total {
  readonly tags: MetricTags;
  value: number;
}

/** What some metrics have come to since the start. */
export class MetricTotals {
  private readonly byMetric = new Map<string, Map<string, Total>>();
  private size = 0;

  count(name: string, tags: MetricTags, by: number): void {
    const total = this.find(name, tags);
    if (total !== undefined) total.value += by;
  }

  set(name: string, value: number, tags: MetricTags): void {
    const total = this.find(name, tags);
    if (total !== undefined) total.value = value;
  }

  of(name: string): Total[] {
    return [...(this.byMetric.get(name)?.values() ?? [])];
  }

  /** Of all series of a metric that have the same value of a label. */
  sums(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { tags, value } of this.of(name)) {
      const key = String(tags[label]);
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  }

  private find(name: string, tags: MetricTags): Total | undefined {
    if (!KEPT.has(name)) return undefined;
    const series = this.byMetric.get(name) ?? new Map<string, Total>();
    this.byMetric.set(name, series);
    const key = JSON.stringify(Object.values(tags));
    const known = series.get(key);
    if (known !== undefined || this.size >= MAX_SERIES) return known;
    const total = { tags: { ...tags }, value: 0 };
    series.set(key, total);
    this.size++;
    return total;
  }
}
