import {
  type Counter,
  type Histogram,
  type Meter,
  metrics,
  type ObservableGauge,
} from '@opentelemetry/api';
import {
  type BoundMetric,
  type MetricKind,
  type MetricsRecorder,
  type MetricTags,
  ResilienceConfigurationError,
} from '../index.js';

/** So many series of a gauge are told apart; what exceeds them is left out. */
const MAX_SERIES = 10_000;

/** What one series of a gauge stands at. */
interface GaugeState {
  readonly tags: MetricTags;
  value: number | undefined;
}

/**
 * The library's metrics as OpenTelemetry's: `resilience.requests.total`, `resilience.request.duration`
 * in seconds, and so on, with the same attributes as the tags.
 *
 * Each instrument is made once, when it is first recorded to. Gauges are observable: each collection
 * is told what they stand at, whatever its temporality. Without an SDK they do nothing.
 *
 * @example
 * ResilienceModule.forRoot({ metrics: new OpenTelemetryMetrics() });
 */
export class OpenTelemetryMetrics implements MetricsRecorder {
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Map<string, GaugeState>>();
  private readonly histograms = new Map<string, Histogram>();

  /**
   * @param meter is asked of the global provider by default
   * @throws ResilienceConfigurationError
   */
  constructor(private readonly meter: Meter = metrics.getMeter('nestjs-bulwark')) {
    if (typeof meter?.createCounter !== 'function')
      throw new ResilienceConfigurationError(
        'OpenTelemetryMetrics',
        'its argument makes no instruments; allowed: a meter of OpenTelemetry, or nothing for that of the global provider',
      );
  }

  increment(name: string, tags?: MetricTags, by = 1): void {
    const make = () => this.meter.createCounter(`resilience.${name}`);
    once(this.counters, name, make).add(by, tags);
  }

  gauge(name: string, value: number, tags?: MetricTags): void {
    this.gaugeState(name, tags).value = value;
  }

  bind(kind: MetricKind, name: string, tags: MetricTags): BoundMetric {
    if (kind === 'counter') return (by) => this.increment(name, tags, by);
    if (kind === 'histogram') return (value) => this.observe(name, value, tags);
    const state = this.gaugeState(name, tags);
    return (value) => {
      state.value = value;
    };
  }

  /**
   * Adds an observation to a histogram: a duration, in ms, which is recorded in seconds, OpenTelemetry's
   * unit.
   */
  observe(name: string, value: number, tags?: MetricTags): void {
    const make = () =>
      this.meter.createHistogram(`resilience.${name}`, {
        unit: 's',
        advice: {
          explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
        },
      });
    once(this.histograms, name, make).record(value / 1_000, tags);
  }

  /**
   * Drops a gauge that will not be written to any more. Counters and histograms are the SDK's, which bounds
   * their series itself.
   */
  forget(name: string, tags: MetricTags): void {
    this.gauges.get(name)?.delete(keyOf(tags));
  }

  private gaugeState(name: string, tags: MetricTags = {}): GaugeState {
    const make = () => observed(this.meter.createObservableGauge(`resilience.${name}`));
    const states = once(this.gauges, name, make);
    const key = keyOf(tags);
    const state = states.get(key) ?? { tags: { ...tags }, value: undefined };
    if (states.size < MAX_SERIES) states.set(key, state);
    return state;
  }
}

function keyOf(tags: MetricTags): string {
  return JSON.stringify(Object.entries(tags).sort());
}

function observed(gauge: ObservableGauge): Map<string, GaugeState> {
  const states = new Map<string, GaugeState>();
  gauge.addCallback((result) => {
    for (const { tags, value } of states.values())
      if (value !== undefined) result.observe(value, tags);
  });
  return states;
}

function once<T>(instruments: Map<string, T>, name: string, make: () => T): T {
  let instrument = instruments.get(name);
  if (instrument === undefined) {
    instrument = make();
    instruments.set(name, instrument);
  }
  return instrument;
}
