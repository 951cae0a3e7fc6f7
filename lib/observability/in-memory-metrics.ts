import type {
  BoundMetric,
  MetricKind,
  MetricSeries,
  MetricsRecorder,
  MetricTags,
} from '../common/metrics.js';

const NO_TAGS: MetricTags = Object.freeze({});

/** So many series are kept; what exceeds them is counted under one series a name, tagged `__other__`. */
const MAX_SERIES = 10_000;

/** Keeps counters, gauges and summed-up histograms in memory, to be read by a controller or a test. */
export class InMemoryMetrics implements MetricsRecorder {
  private series = new Map<string, MetricSeries>();

  increment(name: string, tags: MetricTags = NO_TAGS, by = 1): void {
    count(this.find(name, 'counter', tags), by);
  }

  gauge(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    set(this.find(name, 'gauge', tags), value);
  }

  observe(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    sumUp(this.find(name, 'histogram', tags), value);
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    let all: Map<string, MetricSeries> | undefined;
    let series: MetricSeries;
    const current = () => {
      if (all !== this.series) {
        all = this.series; // reset() has made them anew
        series = this.find(name, kind, tags);
      }
      return series;
    };
    // Not one function for all kinds: these are called several times in each resilient call.
    if (kind === 'counter') return (by) => count(current(), by);
    if (kind === 'gauge') return (value) => set(current(), value);
    return (value) => sumUp(current(), value);
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

  /** Forgets what was counted and observed. Gauges stay: they tell how things stand now. */
  reset(): void {
    this.series = new Map([...this.series].filter(([, { kind }]) => kind === 'gauge'));
  }

  private find(name: string, kind: MetricKind, tags: MetricTags): MetricSeries {
    const given = Object.keys(tags).filter((tag) => tags[tag] !== undefined);
    let key = name;
    for (const tag of given.sort()) key += `\0${tag}\0${tags[tag]}`;
    const existing = this.series.get(key);
    if (existing !== undefined) return existing;
    const full = this.series.size >= MAX_SERIES && tags.__other__ === undefined;
    if (full) return this.find(name, kind, { __other__: true });
    const labels = Object.fromEntries(given.map((tag) => [tag, String(tags[tag])]));
    const series: MetricSeries = { name, kind, tags: labels, value: 0 };
    this.series.set(key, series);
    return series;
  }
}

function count(series: MetricSeries, by: number): void {
  series.value += by;
}

function set(series: MetricSeries, value: number): void {
  series.value = value;
}

function sumUp(series: MetricSeries, value: number): void {
  const { sum = 0, min = value, max = value } = series;
  series.value++;
  series.sum = sum + value;
  if (value <= min) series.min = value;
  if (value >= max) series.max = value;
}

function matches(tags: Record<string, string>, wanted: MetricTags): boolean {
  return Object.entries(wanted).every(
    ([tag, value]) => value === undefined || tags[tag] === String(value),
  );
}
