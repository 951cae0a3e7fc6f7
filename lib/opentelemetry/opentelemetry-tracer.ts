import {
  type Attributes,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import {
  type ErrorDescription,
  isChaos,
  type OperationTracer,
  type TracedOperation,
} from '../index.js';
import { rememberSpan } from './span-events.js';

/**
 * A span for every resilient call, active while it runs, so that the spans of what it calls are inside
 * it. Retries, timeouts, rejections, transitions of breakers, fallbacks and degradations are its events.
 *
 * Attributes follow OpenTelemetry's semantic conventions where there are any (`code.function.name`,
 * `service.peer.name`, `error.type`); the others begin with `resilience.`. Without an SDK no span is
 * made.
 */
export class OpenTelemetryTracer implements OperationTracer {
  /** @param tracer is asked of the global provider by default */
  constructor(private readonly tracer: Tracer = trace.getTracer('nestjs-bulwark')) {}

  trace<T>(operation: TracedOperation, call: () => Promise<T>): void {
    const options = { kind: SpanKind.INTERNAL, attributes: attributesOf(operation) };
    const span = this.tracer.startSpan(operation.operation, options);
    if (!span.isRecording()) {
      void context.with(trace.setSpan(context.active(), span), call).catch(() => undefined);
      return;
    }
    rememberSpan(span);
    context.with(trace.setSpan(context.active(), span), call).then(
      () => span.end(),
      (error) => {
        if (isChaos(error)) span.setAttribute('resilience.chaos', true);
        fail(span, operation.describe(error));
        span.end();
      },
    );
  }
}

function attributesOf({ operation, service, upstream, critical }: TracedOperation): Attributes {
  const attributes: Attributes = { 'code.function.name': operation, 'resilience.service': service };
  if (upstream !== undefined) attributes['service.peer.name'] = upstream;
  if (critical !== undefined) attributes['resilience.critical'] = critical;
  return attributes;
}

function fail(span: Span, { type, message }: ErrorDescription): void {
  span.recordException({ name: type, message });
  span.setAttribute('error.type', type);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
