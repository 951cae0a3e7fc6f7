import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type CallHandler, Controller, type ExecutionContext, Injectable } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { context as tracing } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { lastValueFrom, Observable, throwError } from 'rxjs';
import {
  BulkheadPolicy,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  CircuitState,
  Critical,
  type CriticalAlert,
  describeError,
  ErrorTracker,
  Fallback,
  LoggerAlertChannel,
  ResilienceInterceptor,
  ResilienceModule,
  ResilienceService,
  Retry,
  type ServiceOptions,
  TimeoutError,
} from '../../lib/index.js';
import { OpenTelemetryTracer } from '../../lib/opentelemetry/index.js';
import { PrometheusMetrics } from '../../lib/prometheus/index.js';
import { caught, HOSTILE_ERRORS } from '../support/hostile-errors.js';

const RETRY = { maxAttempts: 3, baseDelayMs: 0, budget: false } as const;

let thrown: unknown;
let runs = 0;
const fail = (): never => {
  runs++;
  throw thrown;
};

@Injectable()
class Shop {
  @Critical()
  @Retry(RETRY)
  async promise(): Promise<string> {
    return fail();
  }

  @Retry(RETRY)
  stream(): Observable<string> {
    return throwError(() => {
      runs++;
      return thrown;
    });
  }

  @Retry(RETRY)
  async *values(): AsyncGenerator<string> {
    yield fail();
  }

  @Retry(RETRY)
  @Fallback('rescue')
  async rescued(): Promise<string> {
    return fail();
  }

  async rescue(error: unknown): Promise<string> {
    return Object.is(error, thrown) ? 'rescued' : 'another error';
  }

  @Fallback(fail)
  async notRescued(): Promise<string> {
    throw new Error('first');
  }
}

@Controller()
class Doors {
  @MessagePattern('promise')
  @Retry({ ...RETRY, idempotent: true })
  async promise(): Promise<string> {
    return fail();
  }

  @MessagePattern('stream')
  @Retry({ ...RETRY, idempotent: true })
  stream(): Observable<string> {
    return new Observable(() => fail());
  }
}

describe.each(Object.entries(HOSTILE_ERRORS))('%s', (_name, make) => {
  let module: TestingModule;
  let shop: Shop;
  const alerts: CriticalAlert[] = [];
  const escaped: unknown[] = [];
  const onEscape = (error: unknown) => escaped.push(error);

  beforeAll(async () => {
    tracing.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    thrown = make();
    module = await Test.createTestingModule({
      imports: [
        ResilienceModule.forRoot({
          alertIntervalMs: 1,
          alerts: [
            new LoggerAlertChannel(),
            { sendCritical: (_message, alert) => void alerts.push(alert) },
          ],
          metrics: new PrometheusMetrics(),
          tracer: new OpenTelemetryTracer(new BasicTracerProvider().getTracer('test')),
          errorTracker: { includeStack: true, keepErrors: true },
        }),
      ],
      providers: [Shop],
      controllers: [Doors],
    })
      .setLogger({ log() {}, warn() {}, error() {} })
      .compile();
    await module.init();
    shop = module.get(Shop);
    process.on('unhandledRejection', onEscape);
  });
  beforeEach(() => {
    runs = 0;
    module.get(ErrorTracker).reset();
  });
  afterAll(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onEscape);
    await module.close();
    tracing.disable();
    expect(escaped.length).toBe(0);
  });

  const expectThrown = async (promise: PromiseLike<unknown>, attempts: number) => {
    const { error } = await caught(promise);
    expect(Object.is(error, thrown)).toBe(true);
    expect(runs).toBe(attempts);
  };

  it('is retried and thrown on as it is, by a promise, a stream and a generator', async () => {
    await expectThrown(shop.promise(), 3);
    runs = 0;
    await expectThrown(lastValueFrom(shop.stream()), 3);
    runs = 0;
    await expectThrown(shop.values().next(), 3);
    expect(module.get(ErrorTracker).getMetrics().byOperation.get('Shop.promise')).toBe(1);
    const [tracked] = module.get(ErrorTracker).getRecentErrors();
    expect(typeof tracked?.message).toBe('string');
    const told = alerts.at(-1) as CriticalAlert;
    expect(Object.is(told.error, thrown)).toBe(true);
    expect(typeof describeError(told.error).type).toBe('string');
  });

  it('passes every stage, and teaches the breaker', async () => {
    const stages: ServiceOptions & { name: string } = {
      name: 'all',
      upstream: 'bank',
      retry: RETRY,
      circuitBreaker: { failureThreshold: 3 },
      timeoutMs: 1_000,
      bulkhead: { maxConcurrent: 1 },
    };
    const pipeline = module.get(ResilienceService).pipeline(stages);
    await expectThrown(
      pipeline.execute(async () => fail()),
      3,
    );
    const breaker = module.get(CircuitBreakerRegistry).get('all');
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('fails a hedged call', async () => {
    const pipeline = module.get(ResilienceService).pipeline({
      name: 'hedged',
      retry: RETRY,
      hedge: { delayMs: 10_000 },
    } as ServiceOptions);
    await expectThrown(
      pipeline.execute(async () => fail()),
      3,
    );
  });

  it('is retried by none of the classes that are to be retried', async () => {
    const retry = { ...RETRY, retryableErrors: [TimeoutError] };
    const pipeline = module.get(ResilienceService).pipeline({ retry });
    await expectThrown(
      pipeline.execute(async () => fail()),
      1,
    );
  });

  it('is what a fallback is told, and what a fallback may throw itself', async () => {
    expect(await shop.rescued()).toBe('rescued');
    runs = 0;
    await expectThrown(shop.notRescued(), 1);
  });

  it('passes policies by themselves', async () => {
    const breaker = new CircuitBreakerPolicy('alone', { failureThreshold: 2 });
    await expectThrown(
      breaker.execute(async () => fail()),
      1,
    );
    await expectThrown(breaker.execute(fail), 2);
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    await expectThrown(new BulkheadPolicy('alone').execute(fail), 3);
    const nested = module.get(ResilienceService).pipeline({ timeoutMs: 1_000 });
    const inner = new CircuitBreakerPolicy('nested');
    await expectThrown(
      nested.execute(() => inner.execute(async () => fail())),
      4,
    );
  });

  it('may be the reason of a caller that gives up', async () => {
    const controller = new AbortController();
    const pipeline = module.get(ResilienceService).pipeline({ retry: RETRY, circuitBreaker: {} });
    const call = pipeline.execute(() => new Promise(() => undefined), {
      signal: controller.signal,
    });
    controller.abort(thrown);
    const { error } = await caught(call);
    if (thrown === undefined) expect((error as Error).name).toBe('AbortError');
    else expect(Object.is(error, thrown)).toBe(true);
  });

  it('leaves a handler of any transport as it is', async () => {
    const doors = module.get(Doors);
    await expectThrown(doors.promise(), 3);
    runs = 0;
    await expectThrown(lastValueFrom(doors.stream()), 3);
    const interceptor = new ResilienceInterceptor(true);
    for (const type of ['ws', 'rpc', 'graphql']) {
      const client = {
        getClient: () => undefined,
        getContext: () => undefined,
        getData: () => undefined,
      };
      const context = {
        getType: () => type,
        getArgByIndex: () => undefined,
        getHandler: () => jest.fn(),
        switchToWs: () => client,
        switchToRpc: () => client,
      } as unknown as ExecutionContext;
      const handler: CallHandler = { handle: () => throwError(() => thrown) };
      const { error } = await caught(lastValueFrom(interceptor.intercept(context, handler)));
      expect(Object.is(error, thrown)).toBe(true);
    }
  });
});
