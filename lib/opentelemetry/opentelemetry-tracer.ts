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
  checkOptions,
  type ErrorDescription,
  isChaos,
  type OperationTracer,
  ResilienceConfigurationError,
  type Rules,
  type TracedOperation,
} from '../index.js';
import { Enricher, type TracedCall } from './enricher.js';
import { hiddenFrom, rememberSpan } from './span-events.js';

/** What spans are made, and what they say. */
export interface OpenTelemetryTracerOptions {
  /**
   * Attributes of your own for the span of a call, when it has ended: the tenant, the release of what is called.
   * It is called where the caller is, so that its own context is there; what it throws is logged once. Metrics
   * have none of these: each value would be a series of its own.
   */
  attributes?: (call: TracedCall) => Attributes | undefined;
}

const RULES: Rules<OpenTelemetryTracerOptions> = {
  attributes: (value) =>
    typeof value === 'function' ? undefined : 'a function that returns attributes at once',
};

/**
 * A span for every resilient call, active while it runs, so that the spans of what it calls are inside
 * it. Retries, timeouts, rejections, transitions of breakers, fallbacks and degradations are its events.
 *
 * Attributes follow OpenTelemetry's semantic conventions where there are any (`code.function.name`,
 * `service.peer.name`, `error.type`); the others begin with `resilience.`. Without an SDK no span is
 * made.
 *
 * @example
 * ResilienceModule.forRoot({ tracer: new OpenTelemetryTracer() });
 */
export class OpenTelemetryTracer implements OperationTracer {
  private readonly enricher: Enricher | undefined;

  /**
   * @param tracer is asked of the global provider by default
   * @throws ResilienceConfigurationError
   *
   * @example new OpenTelemetryTracer(undefined, { attributes: ({ outcome }) => ({ 'shop.outcome': outcome }) })
   */
  constructor(
    private readonly tracer: Tracer = trace.getTracer('nestjs-bulwark'),
    options: OpenTelemetryTracerOptions = {},
  ) {
    if (typeof tracer?.startSpan !== 'function')
      throw new ResilienceConfigurationError(
        'OpenTelemetryTracer',
        'its first argument makes no spans; allowed: a tracer of OpenTelemetry, or undefined for that of the global provider, before the options: new OpenTelemetryTracer(undefined, { attributes })',
      );
    const { attributes } = checkOptions('OpenTelemetryTracer', options, RULES);
    this.enricher = attributes && new Enricher(attributes);
  }

  /** Makes the span of an operation's call, and runs the call in it. */
  trace<T>(operation: TracedOperation, call: () => Promise<T>): void {
    const options = { kind: SpanKind.INTERNAL, attributes: attributesOf(operation) };
    const span = this.tracer.startSpan(operation.operation, options);
    if (!span.isRecording()) {
      void context.with(trace.setSpan(context.active(), span), call).catch(() => undefined);
      return;
    }
    rememberSpan(span);
    context.with(trace.setSpan(context.active(), span), call).then(
      () => this.end(span, operation, { outcome: 'success', ...hiddenFrom(span) }),
      (error) => {
        if (isChaos(error)) span.setAttribute('resilience.chaos', true);
        fail(span, operation.describe(error));
        this.end(span, operation, { outcome: 'failure', error });
      },
    );
  }

  private end(
    span: Span,
    { operation, service, upstream, critical }: TracedOperation,
    how: Pick<TracedCall, 'outcome' | 'error'>,
  ): void {
    if (this.enricher !== undefined)
      span.setAttributes(this.enricher.of({ operation, service, upstream, critical, ...how }));
    span.end();
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
