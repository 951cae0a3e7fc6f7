import { context, isSpanContextValid, TraceFlags, trace } from '@opentelemetry/api';

/**
 * The trace that is active, as an exemplar: for `exemplars` of `PrometheusMetrics`. None where there is no
 * span, or it is not sampled, and so cannot be looked up.
 */
export function spanExemplar():
  | {
      /** The trace that the current span is part of. */
      trace_id: string;
      /** The current span. */
      span_id: string;
    }
  | undefined {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  if ((span.traceFlags & TraceFlags.SAMPLED) === 0) return undefined;
  return { trace_id: span.traceId, span_id: span.spanId };
}
