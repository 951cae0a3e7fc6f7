import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { context, metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { firstValueFrom, Observable, of, throwError } from 'rxjs';
import {
  type ChaosOptions,
  type ChaosRule,
  CircuitBreaker,
  CircuitBreakerRegistry,
  Critical,
  Fallback,
  type MetricsRecorder,
  type OperationTracer,
  ResilienceConfigurationError,
  ResilienceModule,
  Retry,
  Timeout,
  TimeoutError,
  Upstream,
} from '../../lib/index.js';
import {
  OpenTelemetryMetrics,
  OpenTelemetryTracer,
  spanExemplar,
  type TracedCall,
} from '../../lib/opentelemetry/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';

class PaymentError extends Error {
  override name = 'PaymentError';
}

@Injectable()
class Shop {
  calls = 0;

  @Critical()
  @Upstream('bank')
  @Retry({ maxAttempts: 2, baseDelayMs: 0 })
  async pay(fails: number): Promise<string> {
    const child = trace.getTracer('test').startSpan('fetch');
    child.end();
    if (++this.calls <= fails) throw new PaymentError('declined');
    return 'paid';
  }

  @CircuitBreaker({ failureThreshold: 1 })
  @Fallback(() => [])
  async recommend(): Promise<string[]> {
    throw new PaymentError('down');
  }

  @Timeout(1)
  @Critical(false)
  async hang(): Promise<null> {
    return new Promise(() => undefined);
  }

  @Retry(1)
  prices(fail: boolean): Observable<number> {
    return fail ? throwError(() => new PaymentError('down')) : of(1, 2);
  }

  @Retry(1)
  async outer(): Promise<string> {
    return this.pay(0);
  }
}

const spans = new InMemorySpanExporter();
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const meterProvider = new MeterProvider({ readers: [reader] });
let module: TestingModule | undefined;
let shop: Shop;

async function boot(
  tracer: OperationTracer | undefined = new OpenTelemetryTracer(),
  chaos?: ChaosOptions,
  recorder: MetricsRecorder = new OpenTelemetryMetrics(),
) {
  const quiet = { errorTracker: { log: false }, alerts: { sendCritical: () => undefined } };
  module = await Test.createTestingModule({
    imports: [
      ResilienceModule.forRoot({
        ...quiet,
        metrics: recorder,
        tracer,
        chaos,
      } as object),
    ],
    providers: [Shop],
  }).compile();
  await module.init();
  shop = module.get(Shop);
}

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
  );
  metrics.setGlobalMeterProvider(meterProvider);
});
afterEach(async () => {
  await module?.close();
  module = undefined;
  spans.reset();
});
afterAll(async () => {
  await meterProvider.shutdown();
  for (const api of [trace, metrics, context]) api.disable();
});

const span = (name: string) =>
  spans.getFinishedSpans().find((it) => it.name === name) as ReadableSpan;
const events = ({ events: list }: ReadableSpan) =>
  list.map(({ name, attributes }) => [name, attributes]);

describe('OpenTelemetryTracer', () => {
  it('makes a span for a call, with the spans of what it calls inside', async () => {
    await boot();
    await shop.outer();
    const [fetch, pay, outer] = ['fetch', 'Shop.pay', 'Shop.outer'].map(span);
    expect(fetch?.parentSpanContext?.spanId).toBe(pay?.spanContext().spanId);
    expect(pay?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(pay?.attributes).toEqual({
      'code.function.name': 'Shop.pay',
      'resilience.service': 'Shop',
      'resilience.critical': true,
      'service.peer.name': 'bank',
    });
    expect(pay?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('has an event for a failed attempt that is followed by another', async () => {
    await boot();
    await shop.pay(1);
    expect(events(span('Shop.pay'))).toEqual([
      [
        'resilience.retry',
        {
          'error.type': 'PaymentError',
          'resilience.operation': 'Shop.pay',
          'resilience.attempt': 1,
          'resilience.delayMs': 0,
        },
      ],
    ]);
  });

  it('marks the spans of what chaos did, and of what failed by it', async () => {
    const rules: ChaosRule[] = [{ operations: 'Shop.pay', error: true }];
    await boot(undefined, { rules });
    await expect(shop.outer()).rejects.toThrow('Injected');
    const [pay, outer] = [span('Shop.pay'), span('Shop.outer')];
    expect(pay.attributes['resilience.chaos']).toBe(true);
    expect(events(pay)[0]).toEqual([
      'resilience.chaos',
      {
        'resilience.operation': 'Shop.pay',
        'resilience.rule': 'chaos-1',
        'resilience.effect': 'error',
        'resilience.attempt': 1,
      },
    ]);
    expect(outer.attributes['resilience.chaos']).toBe(true);
  });

  it('records the final failure, and that it alerted', async () => {
    await boot();
    await expect(shop.pay(9)).rejects.toThrow('declined');
    const pay = span('Shop.pay');
    expect(pay.status).toEqual({ code: SpanStatusCode.ERROR, message: 'declined' });
    expect(pay.attributes['error.type']).toBe('PaymentError');
    expect(pay.events.map(({ name }) => name)).toEqual([
      'resilience.retry',
      'resilience.alert',
      'exception',
    ]);
  });

  it('has the transition of a breaker, its rejections and the fallback', async () => {
    await boot();
    await shop.recommend();
    expect(span('Shop.recommend').events.map(({ name }) => name)).toEqual([
      'resilience.circuit-state',
      'resilience.fallback',
    ]);
    spans.reset();
    await shop.recommend();
    expect(span('Shop.recommend').events.map(({ name }) => name)).toEqual([
      'resilience.circuit-rejected',
      'resilience.fallback',
    ]);
    expect(span('Shop.recommend').attributes['resilience.outcome']).toBe('fallback');
    expect(span('Shop.recommend').status.code).toBe(SpanStatusCode.UNSET);
  });

  it('gives a timeout to the call that it cut, however many share the timer', async () => {
    await boot();
    await Promise.all([shop.hang(), shop.hang(), shop.hang()]);
    const hung = spans.getFinishedSpans().filter(({ name }) => name === 'Shop.hang');
    expect(hung.map((each) => each.events.map(({ name }) => name))).toEqual(
      Array(3).fill(['resilience.timeout', 'resilience.degraded']),
    );
    expect(hung.map(({ attributes }) => attributes['resilience.outcome'])).toEqual(
      Array(3).fill('degraded'),
    );
  });

  it('traces a stream to its end', async () => {
    await boot();
    const values: number[] = [];
    await new Promise<void>((complete) =>
      shop.prices(false).subscribe({ next: (it) => values.push(it), complete }),
    );
    expect(values).toEqual([1, 2]);
    await firstValueFrom(shop.prices(false));
    await expect(firstValueFrom(shop.prices(true))).rejects.toThrow('down');
    await Promise.resolve();
    const statuses = spans.getFinishedSpans().map(({ name, status }) => [name, status.code]);
    expect(statuses).toEqual([
      ['Shop.prices', SpanStatusCode.UNSET],
      ['Shop.prices', SpanStatusCode.UNSET],
      ['Shop.prices', SpanStatusCode.ERROR],
    ]);
  });
});

describe('Attributes of a tracer', () => {
  it('are told of the call when it has ended, and are on its span', async () => {
    const calls: TracedCall[] = [];
    const attributes = (call: TracedCall) => {
      calls.push(call);
      return { 'shop.outcome': call.outcome };
    };
    await boot(new OpenTelemetryTracer(undefined, { attributes }));
    await shop.pay(0);
    await shop.pay(9).catch(() => undefined);
    await shop.recommend();
    await shop.hang();
    expect(calls).toEqual([
      {
        operation: 'Shop.pay',
        service: 'Shop',
        upstream: 'bank',
        critical: true,
        outcome: 'success',
      },
      expect.objectContaining({ outcome: 'failure', error: expect.any(PaymentError) }),
      expect.objectContaining({
        operation: 'Shop.recommend',
        outcome: 'fallback',
        error: expect.any(PaymentError),
      }),
      expect.objectContaining({
        critical: false,
        outcome: 'degraded',
        error: expect.any(TimeoutError),
      }),
    ]);
    const told = spans.getFinishedSpans().filter(({ name }) => name !== 'fetch');
    expect(told.map((each) => each.attributes['shop.outcome'])).toEqual(
      calls.map(({ outcome }) => outcome),
    );
  });

  it.each([
    [
      'throw',
      () => {
        throw new Error('no tenant');
      },
      'no tenant',
    ],
    [
      'throw when they are read',
      () => ({
        get tenant() {
          throw new Error('no tenant');
        },
      }),
      'no tenant',
    ],
    ['are no object', () => 'acme', 'answered no object'],
    ['are a promise', () => Promise.reject(new Error('late')), 'answered a promise'],
  ])('that %s leave the span without, which is logged once', async (_, attributes, message) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    await boot(new OpenTelemetryTracer(undefined, { attributes: attributes as never }));
    expect([await shop.pay(0), await shop.pay(0)]).toEqual(['paid', 'paid']);
    expect(span('Shop.pay').ended).toBe(true);
    const told = warn.mock.calls.flat().filter((text) => String(text).includes(message));
    warn.mockRestore();
    expect(told).toHaveLength(1);
  });

  it.each([
    [
      'are no function',
      { attributes: { tenant: 'acme' } },
      'OpenTelemetryTracer.attributes: is {"tenant":"acme"}; allowed: a function',
    ],
    [
      'are misspelt',
      { atributes: () => ({}) },
      'OpenTelemetryTracer.atributes: there is no such option; known: attributes',
    ],
  ])('that %s are refused', (_, options, message) => {
    expect(() => new OpenTelemetryTracer(undefined, options as never)).toThrow(message);
  });

  it('in the place of the tracer are refused, and so is what is no meter', () => {
    const attributes = () => ({});
    expect(() => new OpenTelemetryTracer({ attributes } as never)).toThrow(
      'OpenTelemetryTracer: its first argument makes no spans; allowed: a tracer of OpenTelemetry, or undefined',
    );
    expect(() => new OpenTelemetryTracer(null as never)).toThrow('makes no spans');
    expect(() => new OpenTelemetryMetrics({ attributes } as never)).toThrow('makes no instruments');
  });
});

describe('The trace of a call', () => {
  it('is the exemplar of its duration in Prometheus, however it ends', async () => {
    const prometheus = new PrometheusMetrics({ exemplars: spanExemplar, buckets: [30] });
    await boot(undefined, undefined, prometheus);
    await shop.pay(0);
    await shop.recommend();
    await Promise.all([shop.hang(), shop.hang()]);
    expect(prometheus.registry.contentType).toContain('application/openmetrics-text');
    const text = await prometheus.registry.metrics();
    const exemplars = [
      ...text.matchAll(/_bucket\{.*operation="(.+?)".*trace_id="(.+)",span_id="(.+?)"/g),
    ];
    expect(exemplars.map(([, operation]) => operation).sort()).toEqual([
      'Shop.hang',
      'Shop.pay',
      'Shop.recommend',
    ]);
    for (const [, operation, ...ids] of exemplars) {
      const contexts = spans
        .getFinishedSpans()
        .filter(({ name }) => name === operation)
        .map((each) => each.spanContext());
      expect(contexts.map(({ traceId, spanId }) => [traceId, spanId])).toContainEqual(ids);
    }
  });

  it('is no exemplar where it is not sampled, and there is none without a trace', async () => {
    const prometheus = new PrometheusMetrics({ exemplars: spanExemplar });
    prometheus.observe('request.duration', 5, { operation: 'a', outcome: 'success' });
    const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0 };
    context.with(trace.setSpanContext(context.active(), ids), () =>
      prometheus.observe('request.duration', 5, { operation: 'b', outcome: 'success' }),
    );
    expect(await prometheus.registry.metrics()).not.toContain('trace_id');
    await boot();
  });

  it('is active where a duration is recorded by OpenTelemetry, whose SDK takes exemplars from there', async () => {
    const recorded: (string | undefined)[] = [];
    const record = () => {
      recorded.push(trace.getActiveSpan()?.spanContext().spanId);
    };
    const meter = Object.assign(Object.create(meterProvider.getMeter('test')), {
      createHistogram: () => ({ record }),
    });
    await boot(undefined, undefined, new OpenTelemetryMetrics(meter));
    await shop.pay(0);
    await shop.recommend();
    await Promise.all([shop.hang(), shop.hang()]);
    const ids = spans
      .getFinishedSpans()
      .filter(({ name }) => name !== 'fetch')
      .map((each) => each.spanContext().spanId);
    expect(recorded).toEqual(ids);
  });
});

describe('A tracer', () => {
  it.each([
    [
      'throws',
      {
        trace: () => {
          throw new Error('broken');
        },
      },
    ],
    [
      'rejects',
      {
        trace: async (_: unknown, call: () => unknown) => {
          await call();
          throw new Error('broken');
        },
      },
    ],
    ['calls twice', { trace: (_: unknown, call: () => unknown) => [call(), call()] }],
    ['never calls', { trace: () => undefined }],
  ])('that %s changes nothing', async (_what, tracer) => {
    await boot(tracer as OperationTracer);
    expect(await shop.pay(0)).toBe('paid');
    expect(shop.calls).toBe(1);
    expect(await firstValueFrom(shop.prices(false))).toBe(1);
  });

  it.each([null, 5, {}, { trace: 1 }])('may not be %j', async (tracer) => {
    const booted = Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ tracer } as never)],
    }).compile();
    await expect(booted).rejects.toThrow(ResilienceConfigurationError);
    await expect(booted).rejects.toThrow(/tracer.*OperationTracer/);
    await boot();
  });
});

describe('OpenTelemetryMetrics', () => {
  it('exports counters, gauges and durations in seconds', async () => {
    await boot();
    await shop.recommend();
    module?.get(CircuitBreakerRegistry).get('Shop.recommend').reset();
    await meterProvider.forceFlush();
    const exported =
      exporter
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    const metric = (name: string) => exported.find(({ descriptor }) => descriptor.name === name);
    const point = metric('resilience.requests.total')?.dataPoints.find(
      ({ attributes }) =>
        attributes.operation === 'Shop.recommend' && attributes.outcome === 'fallback',
    );
    expect(point?.value).toBeGreaterThanOrEqual(1);
    expect(metric('resilience.request.duration')?.descriptor.unit).toBe('s');
    const state = metric('resilience.circuit.state')?.dataPoints.at(-1);
    expect([state?.attributes, state?.value]).toEqual([{ breaker: 'Shop.recommend' }, 0]);
  });

  it('tells at each collection what gauges stand at, also with delta temporality', async () => {
    const reader = new PeriodicExportingMetricReader({
      exporter: new InMemoryMetricExporter(AggregationTemporality.DELTA),
      exportIntervalMillis: 600_000,
    });
    const provider = new MeterProvider({ readers: [reader] });
    const recorder = new OpenTelemetryMetrics(provider.getMeter('test'));
    recorder.gauge('circuit.state', 2, { breaker: 'payments' });
    recorder.bind('gauge', 'bulkhead.running', { bulkhead: 'write' })(3);
    recorder.bind('counter', 'requests.total', { operation: 'a' })(1);
    recorder.bind('histogram', 'request.duration', { operation: 'a' })(5);
    const collected = async () => {
      const { resourceMetrics } = await reader.collect();
      return resourceMetrics.scopeMetrics
        .flatMap(({ metrics }) => metrics)
        .filter(({ dataPoints }) => dataPoints.length > 0)
        .map(({ descriptor }) => descriptor.name);
    };
    expect(await collected()).toHaveLength(4);
    expect(await collected()).toEqual(['resilience.circuit.state', 'resilience.bulkhead.running']);
    await provider.shutdown();
  });
});
