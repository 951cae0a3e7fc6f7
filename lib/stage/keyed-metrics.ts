import { type Linked, LinkedList } from '../common/linked-list.js';
import type { BoundMetric, MetricKind, Metrics, MetricTags } from '../common/metrics.js';
import type { StageEvent, StageHost, StageMetrics } from './stage-host.js';

/** What one of several says of a gauge that all of them have in common. */
class Share implements Linked<Share> {
  previous: Share | undefined = undefined;
  next: Share | undefined = undefined;
  /** `undefined` before it has said anything, and when it is there no more. */
  value: number | undefined = undefined;
  private isGone = false;

  constructor(
    readonly gauge: SharedGauge,
    private readonly read?: () => number,
  ) {}

  changed(): void {
    if (this.read !== undefined) this.set(this.read());
  }

  set(value: number): void {
    if (!this.isGone) this.gauge.change(this, value);
  }

  leave(): void {
    this.gauge.change(this, undefined);
    this.isGone = true;
  }
}

/** A gauge of all instances together: their sum, or the greatest of them, as workers of a cluster add up. */
class SharedGauge {
  private readonly shares = new LinkedList<Share>();
  private value = 0;
  /** So many say the greatest value, where that is the gauge's: it holds until the last of them says another one. */
  private atGreatest = 0;
  private readonly series: { changed(): void };

  constructor(
    metrics: StageMetrics,
    name: string,
    tags: MetricTags,
    private readonly aggregator: 'sum' | 'max',
  ) {
    this.series = metrics.watch(name, tags, () => this.value);
  }

  join(read?: () => number): Share {
    const share = new Share(this, read);
    share.changed();
    return share;
  }

  /** @param value `undefined` of one that has nothing to say any more */
  change(share: Share, value: number | undefined): void {
    const before = share.value;
    if (value === before) return;
    share.value = value;
    if (before === undefined) this.shares.append(share);
    if (value === undefined) this.shares.remove(share);
    const old = this.value;
    this.value = this.together(before, value);
    if (this.value !== old) this.series.changed();
  }

  private together(before: number | undefined, now: number | undefined): number {
    const { first, last } = this.shares;
    if (this.aggregator === 'max') return this.greatest(before, now);
    if (first === undefined) return 0;
    if (first === last) return first.value as number;
    return this.value - (before ?? 0) + (now ?? 0);
  }

  private greatest(before: number | undefined, now: number | undefined): number {
    if (before === this.value) this.atGreatest--;
    if (now === this.value) {
      this.atGreatest++;
    } else if (now !== undefined && now > this.value) {
      this.atGreatest = 1;
      return now;
    }
    return this.atGreatest > 0 ? this.value : this.findGreatest();
  }

  private findGreatest(): number {
    let greatest = this.shares.first?.value ?? 0;
    this.atGreatest = 0;
    for (let share = this.shares.first; share !== undefined; share = share.next) {
      const value = share.value as number;
      if (value > greatest) this.atGreatest = 0;
      greatest = Math.max(greatest, value);
      if (value === greatest) this.atGreatest++;
    }
    return greatest;
  }
}

/** Where the instances of one name report to, each under its key. */
export class KeyedReports {
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

  /** The tags of all, in the place of those of one. */
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

/** The measurements of an instance as those of all. */
class CommonSeries implements StageMetrics {
  private readonly shares: Share[] = [];

  constructor(
    private readonly reports: KeyedReports,
    private readonly metrics: StageMetrics,
    private readonly instance: string,
  ) {}

  increment(name: string, tags: MetricTags = {}, by?: number): void {
    this.metrics.increment(name, this.common(tags), by);
  }

  observe(name: string, value: number, tags: MetricTags = {}): void {
    this.metrics.observe(name, value, this.common(tags));
  }

  gauge(name: string, value: number, tags: MetricTags = {}): void {
    this.share(name, tags).set(value);
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    if (kind !== 'gauge') return this.metrics.bind(kind, name, this.common(tags));
    const share = this.share(name, tags);
    return (value) => share.set(value);
  }

  watch(name: string, tags: MetricTags, read: () => number): { changed(): void } {
    return this.share(name, tags, read);
  }

  /** The others still write to it. */
  forget(): void {}

  end(): void {
    for (const share of this.shares) share.leave();
  }

  private common(tags: MetricTags): MetricTags {
    return this.reports.tagsOf(this.instance, tags);
  }

  private share(name: string, tags: MetricTags, read?: () => number): Share {
    const gauge = this.reports.gauge(name, this.instance, tags);
    const known = read === undefined && this.shares.find((each) => each.gauge === gauge);
    if (known) return known;
    const share = gauge.join(read);
    this.shares.push(share);
    return share;
  }
}

/** Those of an instance that has series of its own, which go with it. */
class OwnSeries implements StageMetrics {
  private isOver = false;
  private readonly used = new Map<string, { name: string; tags: MetricTags }>();

  constructor(private readonly metrics: StageMetrics) {}

  increment(name: string, tags: MetricTags = {}, by?: number): void {
    if (this.uses(name, tags)) this.metrics.increment(name, tags, by);
  }

  observe(name: string, value: number, tags: MetricTags = {}): void {
    if (this.uses(name, tags)) this.metrics.observe(name, value, tags);
  }

  gauge(name: string, value: number, tags: MetricTags = {}): void {
    if (this.uses(name, tags)) this.metrics.gauge(name, value, tags);
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    this.uses(name, tags);
    const bound = this.metrics.bind(kind, name, tags);
    return (value) => {
      if (!this.isOver) bound(value);
    };
  }

  watch(name: string, tags: MetricTags, read: () => number): { changed(): void } {
    this.uses(name, tags);
    const series = this.metrics.watch(name, tags, read);
    return { changed: () => (this.isOver ? undefined : series.changed()) };
  }

  forget(name: string, tags: MetricTags): void {
    this.used.delete(idOf(name, tags));
    this.metrics.forget(name, tags);
  }

  end(): void {
    this.isOver = true;
    for (const { name, tags } of this.used.values()) this.metrics.forget(name, tags);
  }

  private uses(name: string, tags: MetricTags): boolean {
    if (!this.isOver) this.used.set(idOf(name, tags), { name, tags });
    return !this.isOver;
  }
}

function idOf(name: string, tags: MetricTags): string {
  let id = name;
  for (const tag in tags) id += `\0${tag}\0${tags[tag]}`;
  return id;
}
