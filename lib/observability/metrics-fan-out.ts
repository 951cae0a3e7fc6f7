import { Guard } from './guard.js';
import type { BoundMetric, MetricKind, MetricsRecorder, MetricTags } from './metrics.js';

/**
 * Hands measurements to every recorder; one that fails does not keep them from the others. Injectable,
 * for who wants to listen in besides the recorders in the module's `metrics`.
 */
export class MetricsFanOut implements MetricsRecorder {
  private readonly guard = new Guard('A metrics recorder');

  /** @internal */
  constructor(private recorders: readonly MetricsRecorder[]) {}

  /**
   * Measurements from now on go to this recorder too.
   *
   * @returns takes it away again
   */
  add(recorder: MetricsRecorder): () => void {
    this.recorders = [...this.recorders, recorder]; // a copy: somebody may be in the middle of the list
    return () => {
      this.recorders = this.recorders.filter((each) => each !== recorder);
    };
  }

  increment(name: string, tags?: MetricTags, by?: number): void {
    for (const recorder of this.recorders) this.guard.run(() => recorder.increment(name, tags, by));
  }

  gauge(name: string, value: number, tags?: MetricTags): void {
    for (const recorder of this.recorders) this.guard.run(() => recorder.gauge(name, value, tags));
  }

  observe(name: string, value: number, tags?: MetricTags): void {
    for (const recorder of this.recorders)
      this.guard.run(() => recorder.observe(name, value, tags));
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    let boundTo: readonly MetricsRecorder[] = [];
    let series: BoundMetric[] = [];
    return (value) => {
      if (boundTo !== this.recorders) {
        boundTo = this.recorders;
        series = boundTo.map((recorder) => this.seriesOf(recorder, kind, name, tags));
      }
      for (let index = 0; index < series.length; index++) {
        try {
          const result = (series[index] as BoundMetric)(value) as unknown;
          if (result !== undefined) this.guard.run(() => result); // a promise, which may be rejected
        } catch (error) {
          this.guard.warn(error);
        }
      }
    };
  }

  private seriesOf(
    recorder: MetricsRecorder,
    kind: MetricKind,
    name: string,
    tags: MetricTags,
  ): BoundMetric {
    const bound = this.guard.run(() => recorder.bind?.(kind, name, tags));
    if (typeof bound === 'function') return bound;
    if (kind === 'counter') return (by) => recorder.increment(name, tags, by);
    if (kind === 'gauge') return (value) => recorder.gauge(name, value, tags);
    return (value) => recorder.observe(name, value, tags);
  }
}
