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
  /**
   * Optional, for who has to know a metric before its first value: told of those that stages of the
   * application's own record. Those of the library are in `METRICS`.
   */
  define?(name: string, metric: MetricDefinition): void;
  /**
   * Optional, for who keeps series: told of one that will not be written to any more, since what it is of
   * is there no more.
   */
  forget?(name: string, tags: MetricTags): void;
}

/** How a metric's values add up. */
export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** Takes the values of one series: what a counter grows by, a gauge is set to, a histogram observes. */
export type BoundMetric = (value: number) => void;

/** What a metric tells, for who exports it. Histograms are durations in ms. */
export interface MetricDefinition {
  /** What is recorded of it: counts, levels or durations. */
  readonly kind: MetricKind;
  /** What it tells, in a sentence. */
  readonly help: string;
  /** The one that the metric is about comes first; where there are too many, the last is given up first. */
  readonly labels: readonly string[];
  /** What it is called where names cannot have dots. @default its name with underscores */
  readonly exported?: string;
  /** Counters that begin at 0 when a series of this one begins: a rate misses the step of those that begin at 1. */
  readonly announces?: readonly AnnouncedCounter[];
  /** How the workers of a cluster add up. @default 'sum' */
  readonly aggregator?: 'sum' | 'max';
}

export interface AnnouncedCounter {
  readonly counter: string;
  /** Besides the tags that the two have in common. */
  readonly tags?: MetricTags;
}

/** By the name under which they are recorded. */
export type Metrics = Readonly<Record<string, MetricDefinition>>;

/** One series of a metric: a name with one set of tags. */
export interface MetricSeries {
  /** The metric's name. */
  name: string;
  /** What is recorded of it: counts, levels or durations. */
  kind: MetricKind;
  /** What tells the series apart from others of the metric. */
  tags: Record<string, string>;
  /** A counter's sum, a gauge's last value, a histogram's number of observations. */
  value: number;
  /** Of a histogram: all observations added up. */
  sum?: number;
  /** The least that was observed. */
  min?: number;
  /** The most that was observed. */
  max?: number;
}
