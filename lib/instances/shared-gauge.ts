import { type Linked, LinkedList } from '../common/linked-list.js';
import type { MetricTags } from '../common/metrics.js';
import type { StageMetrics } from '../stage/stage-host.js';

/** The part of one instance in a gauge that all instances of a name have in common. */
export class Share implements Linked<Share> {
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
export class SharedGauge {
  private readonly shares = new LinkedList<Share>();
  private value = 0;
  /** With `max`: so many say the greatest value. Only when none is left that does, the others are looked through. */
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
