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

const ADD: Record<MetricKind, (series: KeptSeries, value: number) => void> = {
  counter: (series, by) => series.count(by),
  gauge: (series, value) => series.set(value),
  histogram: (series, value) => series.observe(value),
};

/**
 * Keeps counters, gauges and summed-up histograms in memory, to be read by a controller or a test.
 *
 * @example
 * ResilienceModule.forRoot({ metrics: new InMemoryMetrics() });
 */
export class InMemoryMetrics implements MetricsRecorder {
  private series = new Map<string, KeptSeries>();

  increment(name: string, tags: MetricTags = NO_TAGS, by = 1): void {
    this.find(name, 'counter', tags).count(by);
  }

  gauge(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    this.find(name, 'gauge', tags).set(value);
  }

  observe(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    this.find(name, 'histogram', tags).observe(value);
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    let series: KeptSeries | undefined;
    return (value) => {
      if (series === undefined || series.isForgotten) series = this.find(name, kind, tags);
      ADD[kind](series, value);
    };
  }

  /**
   * A series that can be written to until it is forgotten: several are written in each resilient call.
   *
   * @internal
   */
  find(name: string, kind: MetricKind, tags: MetricTags): KeptSeries {
    const given = Object.keys(tags).filter((tag) => tags[tag] !== undefined);
    const key = seriesKey(name, given, tags);
    const existing = this.series.get(key);
    if (existing !== undefined) return existing;
    const full = this.series.size >= MAX_SERIES && tags.__other__ === undefined;
    if (full) return this.find(name, kind, { __other__: true });
    const labels = Object.fromEntries(given.map((tag) => [tag, String(tags[tag])]));
    const series = new KeptSeries(name, kind, labels);
    this.series.set(key, series);
    return series;
  }

  forget(name: string, tags: MetricTags): void {
    const given = Object.keys(tags).filter((tag) => tags[tag] !== undefined);
    const key = seriesKey(name, given, tags);
    const series = this.series.get(key);
    if (series !== undefined) series.isForgotten = true;
    this.series.delete(key);
  }

  /**
   * Adds up the series of a metric that have these tags (and maybe more): the sum of counters and
   * gauges, the number of a histogram's observations; 0 where there are none.
   */
  get(name: string, tags: MetricTags = NO_TAGS): number {
    let total = 0;
    for (const series of this.series.values()) {
      if (series.name === name && matches(series.tags, tags)) total += series.current;
    }
    return total;
  }

  /** A copy of every series. */
  snapshot(): MetricSeries[] {
    return [...this.series.values()].map((series) => series.copy());
  }

  /** Forgets what was counted and observed. Gauges stay: they tell how things stand now. */
  reset(): void {
    for (const [key, series] of this.series) {
      if (series.kind === 'gauge') continue;
      series.isForgotten = true;
      this.series.delete(key);
    }
  }
}

/** One series, as it is kept. */
export class KeptSeries implements MetricSeries {
  value = 0;
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  private followed: (() => number) | undefined = undefined;
  /** Who goes on writing to it writes to nothing. */
  isForgotten = false;

  constructor(
    readonly name: string,
    readonly kind: MetricKind,
    readonly tags: Record<string, string>,
  ) {}

  count(by: number): void {
    this.value += by;
  }

  set(value: number): void {
    this.followed = undefined;
    this.value = value;
  }

  /** From now on it is what `read` answers, until it is set. */
  follow(read: () => number): void {
    this.followed = read;
  }

  /** As it stands. */
  get current(): number {
    return this.followed?.() ?? this.value;
  }

  observe(value: number): void {
    this.value++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  copy(): MetricSeries {
    const { name, kind, current: value, sum, min, max } = this;
    const tags = { ...this.tags };
    return kind === 'histogram'
      ? { name, kind, tags, value, sum, min, max }
      : { name, kind, tags, value };
  }
}

/** What tells a series apart, whatever the order of its tags. */
export function seriesKey(name: string, given: string[], tags: MetricTags): string {
  let key = name;
  for (const tag of given.sort()) key += `\0${tag}\0${tags[tag]}`;
  return key;
}

function matches(tags: Record<string, string>, wanted: MetricTags): boolean {
  return Object.entries(wanted).every(
    ([tag, value]) => value === undefined || tags[tag] === String(value),
  );
}
