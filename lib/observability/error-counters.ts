import type { BoundMetric } from '../common/metrics.js';
import type { ErrorTracker } from './error-tracker.js';
import type { MetricsFanOut } from './metrics-fan-out.js';

/** So many series are remembered; others are looked up each time. */
const MAX_BOUND = 1_000;

/**
 * Counts what a tracker tracks, so that the two agree also on what a user tracks by hand. Errors recur, so
 * the series of each kind is looked up once.
 */
export function countErrors({ errors$ }: ErrorTracker, metrics: MetricsFanOut): void {
  const bound = new Map<string, BoundMetric>();
  errors$.subscribe(({ type, context: { operation, upstream } }) => {
    const key = `${operation}\0${type}\0${upstream ?? ''}`;
    let counter = bound.get(key);
    if (counter === undefined) {
      const tags = { error_type: type, operation, ...(upstream !== undefined && { upstream }) };
      counter = metrics.bind('counter', 'errors.total', tags);
      if (bound.size < MAX_BOUND) bound.set(key, counter);
    }
    counter(1);
  });
}
