import {
  Counter,
  Gauge,
  Histogram,
  type PrometheusContentType,
  Registry,
  type RegistryContentType,
} from 'prom-client';
import {
  METRICS,
  type MetricDefinition,
  type MetricsRecorder,
  type MetricTags,
  ResilienceConfigurationError,
} from '../index.js';
import { LabelSpace, type Labels, MetricLabels, OTHER } from './bounded-labels.js';
import {
  exportedName,
  type PrometheusMetricsOptions,
  resolvePrometheusOptions,
} from './prometheus-metrics.options.js';

const NO_TAGS: MetricTags = {};

/** Of names and values together, by OpenMetrics. */
const MAX_EXEMPLAR_LENGTH = 128;

/** What the series of a gauge stand at: prom-client is told at each scrape, so that no reset forgets it. */
type GaugeStates = Map<Labels, number>;

/** One metric of prom-client, with how the library's tags become its labels. */
interface Exported<M> {
  readonly metric: M;
  readonly labels: MetricLabels;
}

/**
 * Exports the library's metrics to Prometheus, as `resilience_*`: counters end in `_total`, durations
 * are in seconds, and a tag that is missing is an empty label. Memory is bounded, whatever the labels:
 * what is too much is counted under `__other__`.
 *
 * Only the metrics of the library and of an application's own stages are exported; those that others
 * record are left out.
 *
 * @example
 * const prometheus = new PrometheusMetrics();
 * ResilienceModule.forRoot({ metrics: prometheus });
 * await prometheus.registry.metrics(); // what a scrape is answered with
 */
export class PrometheusMetrics<Format extends RegistryContentType = PrometheusContentType>
  implements MetricsRecorder
{
  /** What a scrape is answered from: `await registry.metrics()`. */
  readonly registry: Registry<Format>;
  private readonly counters = new Map<string, Exported<Counter>>();
  private readonly gauges = new Map<string, Exported<GaugeStates>>();
  private readonly histograms = new Map<string, Exported<Histogram>>();
  private readonly announcedBy = new Map<string, NonNullable<MetricDefinition['announces']>>();
  private readonly space: LabelSpace;
  private readonly buckets: readonly number[];
  private readonly exemplars: (() => Record<string, string> | undefined) | undefined;

  /** @throws ResilienceConfigurationError where an option is wrong, or the registry has one of the names already */
  constructor(options: PrometheusMetricsOptions<Format> = {}) {
    const { registry, buckets, exemplars, maxLabelValues } = resolvePrometheusOptions(options);
    this.registry = registry ?? newRegistry(exemplars !== undefined);
    this.exemplars = exemplars;
    this.space = new LabelSpace(maxLabelValues);
    this.buckets = buckets;
    for (const [recorded, metric] of Object.entries(METRICS)) this.define(recorded, metric);
  }

  /** @throws ResilienceConfigurationError where the registry has a metric of its name already */
  define(recorded: string, metric: MetricDefinition): void {
    if ([this.counters, this.gauges, this.histograms].some((known) => known.has(recorded))) return;
    const name = exportedName(recorded, metric);
    if (this.registry.getSingleMetric(name) !== undefined)
      throw new ResilienceConfigurationError(
        'PrometheusMetrics.registry',
        `has a metric ${JSON.stringify(name)} already, as which ${recorded} would be exported; allowed: a name of its own`,
      );
    if (metric.announces !== undefined) this.announcedBy.set(recorded, metric.announces);
    const begins = (labels: Labels) => this.announce(metric, labels);
    this.register(recorded, name, metric, new MetricLabels(metric.labels, this.space, begins));
  }

  increment(name: string, tags: MetricTags = NO_TAGS, by = 1): void {
    const counter = this.counters.get(name);
    counter?.metric.inc(counter.labels.of(tags), by);
  }

  /**
   * Sets a gauge. One beyond `maxLabelValues` is left out: "all others" would have the value of any one of
   * them.
   */
  gauge(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    const gauge = this.gauges.get(name);
    if (gauge === undefined) return;
    const labels = gauge.labels.of(tags);
    for (const label in labels) if (labels[label] === OTHER) return;
    gauge.metric.set(labels, value);
  }

  /** Adds an observation to a histogram: a duration, in ms, which is exported in seconds. */
  observe(name: string, value: number, tags: MetricTags = NO_TAGS): void {
    const histogram = this.histograms.get(name);
    if (histogram === undefined) return;
    const labels = histogram.labels.of(tags);
    if (this.exemplars === undefined) histogram.metric.observe(labels, value / 1_000);
    else observeWith(this.exemplars, histogram.metric, labels, value / 1_000);
  }

  /** Drops a series that will not be written to any more, with the counters that it announced. */
  forget(name: string, tags: MetricTags): void {
    const counter = this.counters.get(name);
    const ofCounter = counter?.labels.forget(tags);
    if (ofCounter !== undefined) counter?.metric.remove(ofCounter);
    const histogram = this.histograms.get(name);
    const ofHistogram = histogram?.labels.forget(tags);
    if (ofHistogram !== undefined) histogram?.metric.remove(ofHistogram);
    const gauge = this.gauges.get(name);
    const ofGauge = gauge?.labels.forget(tags);
    if (ofGauge !== undefined) gauge?.metric.delete(ofGauge);
    for (const { counter: announced, tags: more } of this.announcedBy.get(name) ?? [])
      this.forget(announced, { ...tags, ...more });
  }

  private announce({ announces = [] }: MetricDefinition, labels: Labels): void {
    for (const { counter, tags } of announces) this.increment(counter, { ...labels, ...tags }, 0);
  }

  private register(
    recorded: string,
    name: string,
    definition: MetricDefinition,
    labels: MetricLabels,
  ): void {
    const { kind, help, aggregator = 'sum' } = definition;
    const registers = [this.registry as Registry]; // whatever its format
    const configuration = { name, help, labelNames: definition.labels, registers, aggregator };
    const exported = { labels };
    if (kind === 'counter')
      this.counters.set(recorded, { metric: new Counter(configuration), ...exported });
    else if (kind === 'gauge') {
      const states: GaugeStates = new Map();
      new Gauge({
        ...configuration,
        collect() {
          this.reset(); // of what has been forgotten
          if (definition.labels.length === 0) this.remove(); // 0 is not known of what nobody has told
          for (const [series, value] of states) this.set(series, value);
        },
      });
      this.gauges.set(recorded, { metric: states, ...exported });
    } else {
      const buckets = [...this.buckets];
      const enableExemplars = this.exemplars !== undefined;
      const metric = new Histogram({ ...configuration, buckets, enableExemplars });
      this.histograms.set(recorded, { metric, ...exported });
    }
  }
}

function newRegistry<Format extends RegistryContentType>(hasExemplars: boolean): Registry<Format> {
  const registry = new Registry<Format>();
  if (hasExemplars) registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as Format);
  return registry;
}

/** The value is observed, whatever becomes of its exemplar. */
function observeWith(
  exemplars: () => Record<string, string> | undefined,
  metric: Histogram,
  labels: Labels,
  value: number,
): void {
  let exemplarLabels: Record<string, string> = {};
  try {
    exemplarLabels = checkedExemplar(exemplars());
  } finally {
    metric.observe({ labels, value, exemplarLabels });
  }
}

/** By one that is too long, prom-client would spoil the scrape. */
function checkedExemplar(labels: Record<string, string> = {}): Record<string, string> {
  const { length } = Object.entries(labels).flat().join('');
  if (length > MAX_EXEMPLAR_LENGTH)
    throw new RangeError(`an exemplar has ${length} characters; allowed: ${MAX_EXEMPLAR_LENGTH}`);
  return labels;
}
