/**
 * Spans and metrics of resilient calls for OpenTelemetry.
 *
 * @packageDocumentation
 */

export type { TracedCall, TracedOutcome } from './enricher.js';
export { OpenTelemetryMetrics } from './opentelemetry-metrics.js';
export { OpenTelemetryTracer, type OpenTelemetryTracerOptions } from './opentelemetry-tracer.js';
export { spanExemplar } from './span-exemplar.js';
