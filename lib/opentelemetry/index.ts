export { OpenTelemetryMetrics } from './opentelemetry-metrics.js';
export { OpenTelemetryTracer } from './opentelemetry-tracer.js';
