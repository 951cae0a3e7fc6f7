import { type PrometheusContentType, Registry, type RegistryContentType } from 'prom-client';
import {
  checkOptions,
  METRICS,
  type MetricDefinition,
  ResilienceConfigurationError,
  type Rules,
} from '../index.js';

/** Where metrics are registered, and how they are exported. */
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
  /**
   * Labels that lead from a duration to its call: `spanExemplar` of `nestjs-bulwark/opentelemetry` has the active
   * trace. Called at each observation; together they have at most 128 characters. They are told in the format
   * OpenMetrics only, which the registry then speaks; one that is given has to.
   *
   * @default none
   */
  exemplars?: () => Record<string, string> | undefined;
  /**
   * How many values of a label are kept, from 1 to 100000; later ones are counted under `__other__`. @default
   * 1000
   */
  maxLabelValues?: number;
}

const DEFAULTS = {
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
  maxLabelValues: 1_000,
};

const RULES: Rules<PrometheusMetricsOptions> = {
  registry: (value, place) => {
    if (!isRegistry(value)) return 'a Registry of prom-client';
    checkFree(value, place);
    return undefined;
  },
  buckets: (value) =>
    areBuckets(value) ? undefined : 'one or more numbers of seconds above 0, ascending',
  exemplars: (value) =>
    typeof value === 'function' ? undefined : 'a function that returns labels at once',
  maxLabelValues: (value) =>
    Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 100_000
      ? undefined
      : 'a whole number from 1 to 100000',
};

/** @throws ResilienceConfigurationError */
export function resolvePrometheusOptions<Format extends RegistryContentType>(
  options: PrometheusMetricsOptions<Format>,
) {
  const given = checkOptions<PrometheusMetricsOptions<Format>>('PrometheusMetrics', options, RULES);
  const { registry, exemplars } = given;
  if (exemplars !== undefined && registry !== undefined && !speaksOpenMetrics(registry))
    throw new ResilienceConfigurationError(
      'PrometheusMetrics.registry',
      'does not speak OpenMetrics, without which there are no exemplars; allowed: one after setContentType(Registry.OPENMETRICS_CONTENT_TYPE), or none',
    );
  return { ...DEFAULTS, ...given };
}

function areBuckets(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((bound, index) => Number.isFinite(bound) && bound > (value[index - 1] ?? 0))
  );
}

function isRegistry(value: unknown): value is Registry {
  const { getSingleMetric, registerMetric } = (value ?? {}) as Partial<Registry>;
  return typeof getSingleMetric === 'function' && typeof registerMetric === 'function';
}

function speaksOpenMetrics({ contentType }: { contentType: string }): boolean {
  return contentType === Registry.OPENMETRICS_CONTENT_TYPE;
}

/** @throws ResilienceConfigurationError where a name of ours is taken */
function checkFree(registry: Registry, place: string): void {
  const taken = exportedNames().find((name) => registry.getSingleMetric(name) !== undefined);
  if (taken === undefined) return;
  throw new ResilienceConfigurationError(
    place,
    `has a metric ${JSON.stringify(taken)} already; allowed: a registry with one PrometheusMetrics and none of its names. ` +
      'Hand the same PrometheusMetrics to whoever records, or leave the registry out and join the two ' +
      'with Registry.merge([…]) where you answer the scrape (in tests: registry.clear() before the next application)',
  );
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
