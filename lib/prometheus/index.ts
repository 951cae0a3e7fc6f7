/**
 * Metrics of resilient calls for Prometheus, by prom-client.
 *
 * @packageDocumentation
 */

export { PrometheusMetrics } from './prometheus-metrics.js';
export type { PrometheusMetricsOptions } from './prometheus-metrics.options.js';
