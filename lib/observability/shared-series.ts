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

  constructor(
    private readonly fanOut: Recorders,
    private readonly kind: MetricKind,
    private readonly name: string,
    private readonly tags: MetricTags,
  ) {}

  kept(): KeptSeries | undefined {
    if (this.recorders !== this.fanOut.recorders || this.memory?.isForgotten === true) this.find();
    return this.memory;
  }

  tell(value: number): void {
    for (let i = 0; i < this.others.length; i++)
      this.fanOut.tell(this.others[i] as BoundMetric, value);
  }

  private find(): void {
    const { fanOut, kind, name, tags } = this;
    this.recorders = fanOut.recorders;
    const keeping = this.recorders.find(keepsSeries);
    this.memory = keeping?.find(name, kind, tags);
    this.others = this.recorders
      .filter((recorder) => recorder !== keeping)
      .map((recorder) => fanOut.seriesOf(recorder, kind, name, tags));
  }
}

/** A class that extends ours may do more with values than keep them. */
function keepsSeries(recorder: MetricsRecorder): recorder is InMemoryMetrics {
  return Object.getPrototypeOf(recorder) === InMemoryMetrics.prototype;
}
