import type { BoundMetric, MetricKind, MetricsRecorder, MetricTags } from '../common/metrics.js';
import { InMemoryMetrics, type KeptSeries } from './in-memory-metrics.js';

/** Those that a series is recorded by, as they are now: another list is another array. */
interface Recorders {
  readonly recorders: readonly MetricsRecorder[];
  /** Tells one of them a value; it does not throw. */
  tell(series: BoundMetric, value: number): void;
  seriesOf(
    recorder: MetricsRecorder,
    kind: MetricKind,
    name: string,
    tags: MetricTags,
  ): BoundMetric;
}

/** One series at all recorders: the first that keeps it in memory is written to directly, others are told. */
export class SharedSeries {
  private recorders: readonly MetricsRecorder[] | undefined = undefined;
  private memory: KeptSeries | undefined = undefined;
  private others: BoundMetric[] = [];

  /** @param read of a gauge that need not be set, because it can be asked at any time */
  constructor(
    private readonly fanOut: Recorders,
    private readonly kind: MetricKind,
    private readonly name: string,
    private readonly tags: MetricTags,
    private readonly read?: () => number,
  ) {}

  count(by: number): void {
    this.kept()?.count(by);
    if (this.others.length > 0) this.tell(by);
  }

  set(value: number): void {
    this.kept()?.set(value);
    if (this.others.length > 0) this.tell(value);
  }

  observe(value: number): void {
    this.kept()?.observe(value);
    if (this.others.length > 0) this.tell(value);
  }

  /** What `read` answers is another value now. */
  changed(): void {
    this.kept();
    if (this.others.length > 0) this.tell(this.read?.() ?? 0);
  }

  private kept(): KeptSeries | undefined {
    if (this.recorders !== this.fanOut.recorders || this.memory?.isForgotten === true) this.find();
    return this.memory;
  }

  private tell(value: number): void {
    for (const other of this.others) this.fanOut.tell(other, value);
  }

  private find(): void {
    const { fanOut, kind, name, tags } = this;
    this.recorders = fanOut.recorders;
    const keeping = this.recorders.find(keepsSeries);
    this.memory = keeping?.find(name, kind, tags);
    if (this.read !== undefined) this.memory?.follow(this.read);
    this.others = this.recorders
      .filter((recorder) => recorder !== keeping)
      .map((recorder) => fanOut.seriesOf(recorder, kind, name, tags));
  }
}

/** A class that extends ours may do more with values than keep them. */
function keepsSeries(recorder: MetricsRecorder): recorder is InMemoryMetrics {
  return Object.getPrototypeOf(recorder) === InMemoryMetrics.prototype;
}
