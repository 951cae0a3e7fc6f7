import type { BoundMetric, MetricKind, MetricTags } from '../common/metrics.js';
import type { StageMetrics } from '../stage/stage-host.js';
import type { Share, SharedGauge } from './shared-gauge.js';

/** What the instances of one name have in common. */
export interface AllTogether {
  /** The tags of all, in the place of those of one. */
  tagsOf(instance: string, tags: MetricTags): MetricTags;
  /** @param given the tags of the instance */
  gauge(name: string, instance: string, given: MetricTags): SharedGauge;
}

/** Measurements of one instance that go into the series of all: keys may be many, and each series costs. */
export class CommonSeries implements StageMetrics {
  private readonly shares: Share[] = [];

  constructor(
    private readonly all: AllTogether,
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
    return this.all.tagsOf(this.instance, tags);
  }

  private share(name: string, tags: MetricTags, read?: () => number): Share {
    const gauge = this.all.gauge(name, this.instance, tags);
    const known = read === undefined && this.shares.find((each) => each.gauge === gauge);
    if (known) return known;
    const share = gauge.join(read);
    this.shares.push(share);
    return share;
  }
}

/** Measurements of an instance that has series of its own (`keyLabel`). They end when the instance does. */
export class OwnSeries implements StageMetrics {
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

/** What tells a series apart. */
export function idOf(name: string, tags: MetricTags): string {
  let id = name;
  for (const tag in tags) id += `\0${tag}\0${tags[tag]}`;
  return id;
}
