/** What tells the series of a metric apart. */
export type MetricTags = Readonly<Record<string, string | number | boolean>>;

/** Where measurements go. It may throw: the call that is measured does not notice. */
export interface MetricsRecorder {
  /** Adds `by` (1) to a counter. */
  increment(name: string, tags?: MetricTags, by?: number): void;
  /** Sets a gauge. */
  gauge(name: string, value: number, tags?: MetricTags): void;
  /** Adds an observation to a histogram. */
  observe(name: string, value: number, tags?: MetricTags): void;
  /**
   * For speed, and optional: hands out one series, whose values then come without its name and tags
   * being looked up each time. Called once a series.
   */
  bind?(kind: MetricKind, name: string, tags: MetricTags): BoundMetric;
}

/** How a metric's values add up. */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Takes the values of one series: what a counter grows by, a gauge is set to, a histogram observes. */
export type BoundMetric = (value: number) => void;

/** One series of a metric: a name with one set of tags. */
export interface MetricSeries {
  name: string;
  kind: MetricKind;
  tags: Record<string, string>;
  /** A counter's sum, a gauge's last value, a histogram's number of observations. */
  value: number;
  /** Of a histogram: all observations added up. */
  sum?: number;
  min?: number;
  max?: number;
}
