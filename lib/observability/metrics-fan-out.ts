import { Guard } from './guard.js';
import type { MetricsRecorder, MetricTags } from './metrics.js';

/** Hands measurements to every recorder; one that fails does not keep them from the others. */
export class MetricsFanOut implements MetricsRecorder {
  private readonly guard = new Guard('A metrics recorder');

  constructor(private readonly recorders: readonly MetricsRecorder[]) {}

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
}
