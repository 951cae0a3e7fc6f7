import type {
  BoundMetric,
  MetricDefinition,
  MetricKind,
  MetricsRecorder,
  MetricTags,
} from '../common/metrics.js';
import { Guard } from '../errors/guard.js';
import { seriesKey } from './in-memory-metrics.js';
import { SharedSeries } from './shared-series.js';

/** So many gauges are remembered. */
const MAX_GAUGES = 10_000;

/** What a gauge stands at. */
interface GaugeState {
  readonly name: string;
  readonly tags: MetricTags;
  /** What it was set to; `undefined` before anybody has said so. */
  value: number | undefined;
  /** Of one that is asked instead. */
  read: (() => number) | undefined;
}

/**
 * Hands measurements to every recorder; one that fails does not keep them from the others. Injectable,
 * for who wants to listen in besides the recorders in the module's `metrics`. Who joins later is told
 * what the gauges stand at.
 */
export class MetricsFanOut implements MetricsRecorder {
  private readonly guard = new Guard('A metrics recorder');
  private readonly gauges = new Map<string, GaugeState>();
  /** Of an application's own stages. */
  private readonly defined = new Map<string, MetricDefinition>();
  /** @internal */
  recorders: readonly MetricsRecorder[];

  /** @internal */
  constructor(recorders: readonly MetricsRecorder[]) {
    this.recorders = recorders;
  }

  /**
   * Measurements from now on go to another recorder in the place of one, or of all.
   *
   * @internal
   */
  replace(replaced: MetricsRecorder | undefined, recorder: MetricsRecorder): void {
    const others = this.recorders.filter((each) => replaced !== undefined && each !== replaced);
    this.recorders = others;
    this.add(recorder);
  }

  /**
   * Measurements from now on go to this recorder too, and first what each gauge stands at.
   *
   * @returns takes it away again
   */
  add(recorder: MetricsRecorder): () => void {
    this.recorders = [...this.recorders, recorder]; // a copy: somebody may be in the middle of the list
    for (const [name, metric] of this.defined)
      this.guard.run(() => recorder.define?.(name, metric));
    for (const { name, tags, value, read } of this.gauges.values()) {
      const current = read?.() ?? value;
      if (current !== undefined) this.guard.run(() => recorder.gauge(name, current, tags));
    }
    return () => {
      this.recorders = this.recorders.filter((each) => each !== recorder);
    };
  }

  /** @throws ResilienceConfigurationError where a recorder has one of the name already */
  define(name: string, metric: MetricDefinition): void {
    this.defined.set(name, metric);
    for (const recorder of this.recorders) recorder.define?.(name, metric);
  }

  increment(name: string, tags?: MetricTags, by?: number): void {
    for (const recorder of this.recorders) this.guard.run(() => recorder.increment(name, tags, by));
  }

  gauge(name: string, value: number, tags?: MetricTags): void {
    const state = this.gaugeState(name, tags ?? {});
    state.read = undefined;
    state.value = value;
    for (const recorder of this.recorders) this.guard.run(() => recorder.gauge(name, value, tags));
  }

  observe(name: string, value: number, tags?: MetricTags): void {
    for (const recorder of this.recorders)
      this.guard.run(() => recorder.observe(name, value, tags));
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    const series = this.series(kind, name, tags);
    if (kind === 'counter') return (by) => series.count(by);
    if (kind === 'histogram') return (value) => series.observe(value);
    const state = this.gaugeState(name, tags);
    return (value) => {
      state.read = undefined;
      state.value = value;
      series.set(value);
    };
  }

  /** A series for who writes to it at each call. @internal */
  series(kind: MetricKind, name: string, tags: MetricTags): SharedSeries {
    return new SharedSeries(this, kind, name, tags);
  }

  /** A gauge that recorders in memory ask when they are asked; others have to be told when it has changed. @internal */
  watch(name: string, tags: MetricTags, read: () => number): SharedSeries {
    this.gaugeState(name, tags).read = read;
    const series = new SharedSeries(this, 'gauge', name, tags, read);
    series.changed();
    return series;
  }

  /** @internal */
  tell(series: BoundMetric, value: number): void {
    try {
      const result = series(value) as unknown;
      if (result !== undefined) this.guard.run(() => result); // a promise, which may be rejected
    } catch (error) {
      this.guard.warn(error);
    }
  }

  /** @internal */
  seriesOf(
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

  /** Nobody writes to the series any more. */
  forget(name: string, tags: MetricTags): void {
    this.gauges.delete(seriesKey(name, Object.keys(tags), tags));
    for (const recorder of this.recorders) this.guard.run(() => recorder.forget?.(name, tags));
  }

  private gaugeState(name: string, tags: MetricTags): GaugeState {
    const key = seriesKey(name, Object.keys(tags), tags);
    const state = this.gauges.get(key) ?? {
      name,
      tags: { ...tags },
      value: undefined,
      read: undefined,
    };
    if (this.gauges.size < MAX_GAUGES) this.gauges.set(key, state);
    return state;
  }
}
