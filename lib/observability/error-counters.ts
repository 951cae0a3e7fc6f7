import type { BoundMetric } from '../common/metrics.js';
import type { MetricsFanOut } from './metrics-fan-out.js';
import type { TrackedError } from './tracked-error.js';

/** So many series are remembered; others are looked up each time. */
const MAX_BOUND = 1_000;

/** The metric of what the tracker tracks. Errors recur, so the series of each kind is looked up once. */
export class ErrorCounters {
  private readonly bound = new Map<string, BoundMetric>();

  constructor(private readonly metrics: MetricsFanOut) {}

  count({ type, context: { operation, upstream } }: TrackedError): void {
    const key = `${operation}\0${type}\0${upstream ?? ''}`;
    let counter = this.bound.get(key);
    if (counter === undefined) {
      const tags = { error_type: type, operation, ...(upstream !== undefined && { upstream }) };
      counter = this.metrics.bind('counter', 'errors.total', tags);
      if (this.bound.size < MAX_BOUND) this.bound.set(key, counter);
    }
    counter(1);
  }
}
