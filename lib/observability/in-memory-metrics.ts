import type { MetricKind, MetricSeries, MetricsRecorder, MetricTags } from './metrics.js';

const NO_TAGS: MetricTags = Object.freeze({});

/** So many series are kept; what exceeds them is counted under one series a name, tagged `__other__`. */
const MAX_SERIES = 10_000;

/** Keeps counters, gauges and summed-up histograms in memory, to be read by a controller or a test. */
export class InMemoryMetrics implements MetricsRecorder {
  private readonly series = new Map<string, MetricSeries>();
  /** The library hands in the same frozen tags again and again: they find their series without a key. */
  private shortcuts = new WeakMap<MetricTags, Map<string, MetricSeries>>();

  increment(name: string, tags: MetricTags = NO_TAGS, by = 1): void {
    this.find(name, 'counter', tags).value += by;
  }

  gauge(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    this.find(name, 'gauge', tags).value = value;
  }

  observe(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    const series = this.find(name, 'histogram', tags);
    series.value++;
    series.sum = (series.sum ?? 0) + value;
    series.min = Math.min(series.min ?? value, value);
    series.max = Math.max(series.max ?? value, value);
  }

  /**
   * Adds up the series of a metric that have these tags (and maybe more): the sum of counters and
   * gauges, the number of a histogram's observations; 0 where there are none.
   */
  get(name: string, tags: MetricTags = NO_TAGS): number {
    let total = 0;
    for (const series of this.series.values()) {
      if (series.name === name && matches(series.tags, tags)) total += series.value;
    }
    return total;
  }

  /** A copy of every series. */
  snapshot(): MetricSeries[] {
    return [...this.series.values()].map((series) => ({ ...series, tags: { ...series.tags } }));
  }

  /** Forgets everything. */
  reset(): void {
    this.series.clear();
    this.shortcuts = new WeakMap();
  }

  private find(name: string, kind: MetricKind, tags: MetricTags): MetricSeries {
    let byName = this.shortcuts.get(tags);
    const shortcut = byName?.get(name);
    if (shortcut !== undefined) return shortcut;
    const series = this.findByKey(name, kind, tags);
    if (!Object.isFrozen(tags)) return series; // it may mean something else tomorrow
    if (byName === undefined) {
      byName = new Map();
      this.shortcuts.set(tags, byName);
    }
    byName.set(name, series);
    return series;
  }

  private findByKey(name: string, kind: MetricKind, tags: MetricTags): MetricSeries {
    const labels = Object.fromEntries(
      Object.entries(tags)
        .filter(([, value]) => value !== undefined)
        .map(([tag, value]): [string, string] => [tag, String(value)])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const key = `${name} ${JSON.stringify(labels)}`;
    const existing = this.series.get(key);
    if (existing !== undefined) return existing;
    const full = this.series.size >= MAX_SERIES && labels.__other__ === undefined;
    if (full) return this.findByKey(name, kind, { __other__: true });
    const series: MetricSeries = { name, kind, tags: labels, value: 0 };
    this.series.set(key, series);
    return series;
  }
}

function matches(tags: Record<string, string>, wanted: MetricTags): boolean {
  return Object.entries(wanted).every(
    ([tag, value]) => value === undefined || tags[tag] === String(value),
  );
}
