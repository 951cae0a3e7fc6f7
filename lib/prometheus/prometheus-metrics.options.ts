import { inspect } from 'node:util';
import type { PrometheusContentType, Registry, RegistryContentType } from 'prom-client';
import { METRICS, type MetricDefinition, ResilienceConfigurationError } from '../index.js';

export interface PrometheusMetricsOptions<
  Format extends RegistryContentType = PrometheusContentType,
> {
  /**
   * Where the metrics are registered: prom-client's `register`, if everything is to be in one scrape.
   *
   * @default a new one, at `PrometheusMetrics.registry`
   */
  registry?: Registry<Format>;
  /**
   * Upper bounds of the buckets of `resilience_request_duration_seconds`, in seconds, ascending.
   *
   * @default 1 ms to 30 s: 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
   */
  buckets?: readonly number[];
  /** So many values of a label are kept; later ones are counted under `__other__`. @default 1000 */
  maxLabelValues?: number;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const OPTIONS = ['registry', 'buckets', 'maxLabelValues'];

/** @throws ResilienceConfigurationError */
export function resolvePrometheusOptions<Format extends RegistryContentType>(
  options: PrometheusMetricsOptions<Format>,
) {
  if (typeof options !== 'object' || options === null) {
    throw wrong('options', `is ${inspect(options)}; allowed: an object with ${OPTIONS.join(', ')}`);
  }
  const unknown = Object.keys(options).find((key) => !OPTIONS.includes(key));
  if (unknown !== undefined) {
    throw ResilienceConfigurationError.unknownOption(
      `PrometheusMetrics.${unknown}`,
      unknown,
      OPTIONS,
    );
  }
  const { registry, buckets = BUCKETS, maxLabelValues = 1_000 } = options;
  if (registry !== undefined) checkRegistry(registry);
  checkBuckets(buckets);
  if (!Number.isInteger(maxLabelValues) || maxLabelValues < 1 || maxLabelValues > 100_000) {
    throw wrong(
      'maxLabelValues',
      `is ${inspect(maxLabelValues)}; allowed: a whole number from 1 to 100000`,
    );
  }
  return { registry, buckets, maxLabelValues };
}

function checkBuckets(buckets: readonly number[]): void {
  const ascending =
    Array.isArray(buckets) &&
    buckets.length > 0 &&
    buckets.every((bound, index) => Number.isFinite(bound) && bound > (buckets[index - 1] ?? 0));
  if (!ascending) {
    throw wrong(
      'buckets',
      `is ${inspect(buckets, { breakLength: Infinity })}; allowed: one or more numbers of seconds above 0, ascending`,
    );
  }
}

function checkRegistry(registry: Pick<Registry, 'getSingleMetric' | 'registerMetric'>): void {
  if (
    typeof registry?.getSingleMetric !== 'function' ||
    typeof registry.registerMetric !== 'function'
  ) {
    throw wrong(
      'registry',
      `is ${inspect(registry, { depth: 0, breakLength: Infinity })}; allowed: a Registry of prom-client`,
    );
  }
  const taken = exportedNames().find((name) => registry.getSingleMetric(name) !== undefined);
  if (taken !== undefined) {
    throw wrong(
      'registry',
      `has a metric ${JSON.stringify(taken)} already; allowed: a registry with one PrometheusMetrics and none of its names. ` +
        'Hand the same PrometheusMetrics to whoever records, or leave the registry out and join the two ' +
        'with Registry.merge([…]) where you answer the scrape (in tests: registry.clear() before the next application)',
    );
  }
}

/** What Prometheus calls a metric: with its unit, or how it adds up. */
export function exportedName(
  recorded: string,
  { kind, exported = recorded.replaceAll('.', '_') }: MetricDefinition,
): string {
  const suffix = { counter: '_total', gauge: '', histogram: '_seconds' }[kind];
  return `resilience_${exported}${exported.endsWith(suffix) ? '' : suffix}`;
}

/** Also what a histogram is split into. */
function exportedNames(): string[] {
  return Object.entries(METRICS).flatMap(([recorded, metric]) => {
    const name = exportedName(recorded, metric);
    return metric.kind === 'histogram'
      ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]
      : [name];
  });
}

export function wrong(place: string, problem: string): ResilienceConfigurationError {
  return new ResilienceConfigurationError(`PrometheusMetrics.${place}`, problem);
}
