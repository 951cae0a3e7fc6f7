import { type Counter, type Gauge, type Histogram, type Meter, metrics } from '@opentelemetry/api';
import type { MetricsRecorder, MetricTags } from '../index.js';

/**
 * The library's metrics as OpenTelemetry's: `resilience.requests.total`, `resilience.request.duration`
 * in seconds, and so on, with the same attributes as the tags.
 *
 * Each instrument is made once, when it is first recorded to. Without an SDK they do nothing.
 */
export class OpenTelemetryMetrics implements MetricsRecorder {
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Gauge>();
  private readonly histograms = new Map<string, Histogram>();

  /** @param meter is asked of the global provider by default */
  constructor(private readonly meter: Meter = metrics.getMeter('nestjs-bulwark')) {}

  increment(name: string, tags?: MetricTags, by = 1): void {
    const make = () => this.meter.createCounter(`resilience.${name}`);
    once(this.counters, name, make).add(by, tags);
  }

  gauge(name: string, value: number, tags?: MetricTags): void {
    const make = () => this.meter.createGauge(`resilience.${name}`);
    once(this.gauges, name, make).record(value, tags);
  }

  /** Histograms of the library are in milliseconds; OpenTelemetry's unit for durations is the second. */
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
}

function once<T>(instruments: Map<string, T>, name: string, make: () => T): T {
  let instrument = instruments.get(name);
  if (instrument === undefined) {
    instrument = make();
    instruments.set(name, instrument);
  }
  return instrument;
}
