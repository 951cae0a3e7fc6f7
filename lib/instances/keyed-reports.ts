import type { Metrics, MetricTags } from '../common/metrics.js';
import type { StageEvent, StageHost, StageMetrics } from '../stage/stage-host.js';
import { type AllTogether, CommonSeries, idOf, OwnSeries } from './keyed-series.js';
import { SharedGauge } from './shared-gauge.js';

/** Where the instances of one name report to: events tell the key, measurements are of all or of each. */
export class KeyedReports implements AllTogether {
  private readonly gauges = new Map<string, SharedGauge>();

  /**
   * @param name of all of them
   * @param keyLabel whether each has series of its own
   */
  constructor(
    private readonly host: StageHost,
    private readonly name: string,
    private readonly metrics: Metrics,
    private readonly keyLabel: boolean,
  ) {}

  /**
   * @param instance its name
   * @param key of which its events tell, where it has one
   */
  of(instance: string, key: string | undefined): KeyedHost {
    const metrics = this.keyLabel
      ? new OwnSeries(this.host.metrics)
      : new CommonSeries(this, this.host.metrics, instance);
    return new KeyedHost(this.host, metrics, key);
  }

  tagsOf(instance: string, tags: MetricTags): MetricTags {
    const common: Record<string, MetricTags[string]> = {};
    for (const tag in tags) {
      const value = tags[tag] as MetricTags[string];
      common[tag] = value === instance ? this.name : value;
    }
    return common;
  }

  gauge(name: string, instance: string, given: MetricTags): SharedGauge {
    // Most have no tag but their name.
    const [, more] = Object.keys(given);
    const tags = this.tagsOf(instance, given);
    const id = more === undefined ? name : idOf(name, tags);
    let gauge = this.gauges.get(id);
    if (gauge === undefined) {
      const { aggregator = 'sum' } = this.metrics[name] ?? {};
      gauge = new SharedGauge(this.host.metrics, name, tags, aggregator);
      this.gauges.set(id, gauge);
    }
    return gauge;
  }
}

/** Where one instance reports to. */
export class KeyedHost implements StageHost {
  constructor(
    private readonly host: StageHost,
    readonly metrics: StageMetrics & { end(): void },
    private readonly key: string | undefined,
  ) {}

  get captureStackTrace(): boolean {
    return this.host.captureStackTrace;
  }

  get inFlight(): StageHost['inFlight'] {
    return this.host.inFlight;
  }

  get fleet(): StageHost['fleet'] {
    return this.host.fleet;
  }

  warnOf(what: string): (error: unknown) => void {
    return this.host.warnOf(what);
  }

  report(event: StageEvent): void {
    this.host.report(this.key === undefined ? event : { ...event, key: this.key });
  }

  /** The instance is there no more. */
  end(): void {
    this.metrics.end();
  }
}
