import { jest } from '@jest/globals';
import { BadRequestException, Injectable, Logger } from '@nestjs/common';
import { filter, firstValueFrom, map } from 'rxjs';
import {
  type AlertChannel,
  Bulkhead,
  BulkheadRegistry,
  CircuitBreaker,
  CircuitBreakerRegistry,
  CircuitState,
  Critical,
  type CriticalAlert,
  Fallback,
  InMemoryMetrics,
  LoggerAlertChannel,
  MetricsFanOut,
  type MetricsRecorder,
  type ResilienceEvent,
  ResilienceEvents,
  type ResilienceModuleOptions,
  Retry,
  Timeout,
  Upstream,
} from '../../lib/index.js';
import { boot, closeAll, RecordingLogger } from '../binding/support.js';
import { ResilienceApp } from '../support/resilience-app.js';

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(async () => {
  await closeAll();
  jest.useRealTimers();
});

class DownError extends Error {}
const down = new DownError('down');
const never = () => new Promise<never>(() => undefined);

@Injectable()
class Shop {
  outcome: () => Promise<string> = async () => {
    throw down;
  };
  fallback: () => string = () => 'instead';

  @Upstream('warehouse')
  @Retry({ maxAttempts: 3, baseDelayMs: 100, jitter: 'none' })
  async retried(): Promise<string> {
    return this.outcome();
  }
  @CircuitBreaker('stock')
  async guarded(): Promise<string> {
    return this.outcome();
  }
  @Timeout(500)
  async limited(): Promise<string> {
    return this.outcome();
  }
  @Bulkhead('narrow')
  async crowded(): Promise<string> {
    return this.outcome();
  }
  @Fallback('instead')
  async answered(): Promise<string> {
    return this.outcome();
  }
  @Critical(false)
  @Fallback('instead')
  async nice(): Promise<string> {
    return this.outcome();
  }
  @Critical()
  async critical(_card?: string): Promise<string> {
    return this.outcome();
  }
  @Critical()
  @Fallback('instead')
  async criticalAnswered(): Promise<string> {
    return this.outcome();
  }
  @Critical()
  async otherCritical(): Promise<string> {
    return this.outcome();
  }
  instead(): string {
    return this.fallback();
  }
}

const OPTIONS: ResilienceModuleOptions = {
  breakers: { stock: { failureThreshold: 2, successThreshold: 1, timeoutMs: 1_000 } },
  bulkheads: { narrow: { maxConcurrent: 1, queueLimit: 1, queueTimeoutMs: 300 } },
};

async function shop(options: ResilienceModuleOptions = {}) {
  const { app, logger } = await boot({ providers: [Shop] }, { ...OPTIONS, ...options });
  const events: ResilienceEvent[] = [];
  app.get(ResilienceEvents).events$.subscribe((event) => events.push(event));
  const metrics = app.get(InMemoryMetrics, { strict: false });
  return { app, logger, target: app.get(Shop), metrics, events };
}

/** Lets a call end, in fake time. */
async function settle(call: Promise<unknown>, ms = 5_000): Promise<unknown> {
  const outcome = call.then(
    (value) => value,
    (error: unknown) => error,
  );
  await jest.advanceTimersByTimeAsync(ms);
  return outcome;
}

/** The series of a metric, as `[tags, value]`. */
function series(metrics: InMemoryMetrics, name: string): [Record<string, string>, number][] {
  return metrics
    .snapshot()
    .filter((each) => each.name === name)
    .map(({ tags, value }) => [tags, value]);
}

describe('Metrics of a decorated method', () => {
  it('requests.total and request.duration have the outcome: success', async () => {
    const { target, metrics } = await shop();
    target.outcome = () =>
      new Promise((resolve) => {
        setTimeout(resolve, 250, 'ok');
      });
    expect(await settle(target.retried())).toBe('ok');
    const tags = { operation: 'Shop.retried', outcome: 'success' };
    expect(series(metrics, 'requests.total')).toEqual([[tags, 1]]);
    expect(metrics.snapshot()).toContainEqual({
      name: 'request.duration',
      kind: 'histogram',
      tags,
      value: 1,
      sum: 250,
      min: 250,
      max: 250,
    });
    expect(metrics.get('errors.total')).toBe(0);
    expect(metrics.get('service.error')).toBe(0);
  });

  it.each([
    ['retried', 'failure'],
    ['answered', 'fallback'],
    ['nice', 'fallback'],
    ['critical', 'failure'],
    ['criticalAnswered', 'fallback'],
  ] as const)('requests.total and request.duration of %s: %s', async (method, outcome) => {
    const { target, metrics } = await shop({ alerts: [] });
    await settle(target[method]());
    const tags = { operation: `Shop.${method}`, outcome };
    expect(series(metrics, 'requests.total')).toEqual([[tags, 1]]);
    expect(series(metrics, 'request.duration')).toEqual([[tags, 1]]);
  });

  it('requests.total: degraded, where the call is nice to have and its fallback fails', async () => {
    const { target, metrics } = await shop();
    target.fallback = () => {
      throw new Error('fallback down');
    };
    expect(await settle(target.nice())).toBeNull();
    expect(series(metrics, 'requests.total')).toEqual([
      [{ operation: 'Shop.nice', outcome: 'degraded' }, 1],
    ]);
  });

  it('requests.total: success, where the client is to blame', async () => {
    const { target, metrics } = await shop();
    target.outcome = async () => {
      throw new BadRequestException();
    };
    await settle(target.retried());
    expect(series(metrics, 'requests.total')).toEqual([
      [{ operation: 'Shop.retried', outcome: 'success' }, 1],
    ]);
    expect(metrics.get('errors.total')).toBe(0);
  });

  it('errors.total has the type, the operation and the upstream', async () => {
    const { target, metrics } = await shop();
    await settle(target.retried());
    await settle(target.answered());
    expect(series(metrics, 'errors.total')).toContainEqual([
      { error_type: 'DownError', operation: 'Shop.retried', upstream: 'warehouse' },
      1,
    ]);
  });

  it('errors.total has no upstream where there is none', async () => {
    const { target, metrics } = await shop();
    await settle(target.answered());
    expect(series(metrics, 'errors.total')).toEqual([
      [{ error_type: 'DownError', operation: 'Shop.answered' }, 1],
    ]);
  });

  it('retry.attempt counts each attempt that another follows, with its number', async () => {
    const { target, metrics } = await shop();
    await settle(target.retried());
    const tags = { operation: 'Shop.retried', error_type: 'DownError' };
    expect(series(metrics, 'retry.attempt')).toEqual([
      [{ ...tags, attempt: '1' }, 1],
      [{ ...tags, attempt: '2' }, 1],
    ]);
  });

  it("circuit.* follow the breaker's states, with a gauge of 0, 2, 1 and 0", async () => {
    const { target, metrics } = await shop();
    const state = () => metrics.get('circuit.state', { breaker: 'stock' });
    expect(series(metrics, 'circuit.state')).toEqual([[{ breaker: 'stock' }, 0]]);
    await settle(target.guarded(), 0);
    await settle(target.guarded(), 0);
    expect(state()).toBe(2);
    await settle(target.guarded(), 0);
    await settle(target.guarded(), 0);
    expect(series(metrics, 'circuit.rejected')).toEqual([[{ breaker: 'stock' }, 2]]);
    await jest.advanceTimersByTimeAsync(1_000);
    let finish: (value: string) => void = () => undefined;
    target.outcome = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const probe = target.guarded();
    expect(state()).toBe(1);
    finish('ok');
    await settle(probe, 0);
    expect(state()).toBe(0);
    for (const counter of ['circuit.open', 'circuit.half_open', 'circuit.closed'])
      expect([counter, series(metrics, counter)]).toEqual([counter, [[{ breaker: 'stock' }, 1]]]);
  });

  it('circuit.state is 2 while it is forced open, and 0 after a reset', async () => {
    const { app, metrics } = await shop();
    const breaker = app.get(CircuitBreakerRegistry).get('stock');
    breaker.forceOpen();
    expect(metrics.get('circuit.state')).toBe(2);
    breaker.reset();
    expect(metrics.get('circuit.state')).toBe(0);
    expect(metrics.get('circuit.open')).toBe(1);
    expect(metrics.get('circuit.closed')).toBe(1);
  });

  it('timeout.total counts attempts that were cut', async () => {
    const { target, metrics } = await shop();
    target.outcome = never;
    await settle(target.limited());
    expect(series(metrics, 'timeout.total')).toEqual([[{ operation: 'Shop.limited' }, 1]]);
    expect(metrics.get('errors.total', { error_type: 'TimeoutError' })).toBe(1);
  });

  it('bulkhead.* follow what runs, waits and is rejected, and why', async () => {
    const { app, target, metrics } = await shop();
    const levels = () => [metrics.get('bulkhead.running'), metrics.get('bulkhead.queued')];
    let finish: (value: string) => void = () => undefined;
    target.outcome = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const running = target.crowded();
    const queued = settle(target.crowded(), 0);
    const full = settle(target.crowded(), 0);
    await full;
    expect(levels()).toEqual([1, 1]);
    await jest.advanceTimersByTimeAsync(300);
    await queued;
    expect(levels()).toEqual([1, 0]);
    const waiting = settle(target.crowded(), 0);
    expect(levels()).toEqual([1, 1]);
    finish('ok');
    await settle(running, 0);
    expect(levels()).toEqual([1, 0]);
    finish('ok');
    await waiting;
    expect(levels()).toEqual([0, 0]);
    expect(series(metrics, 'bulkhead.rejected')).toEqual([
      [{ bulkhead: 'narrow', reason: 'full' }, 1],
      [{ bulkhead: 'narrow', reason: 'queue-timeout' }, 1],
    ]);
    expect(series(metrics, 'bulkhead.running')[0]?.[0]).toEqual({ bulkhead: 'narrow' });
    expect(app.get(BulkheadRegistry).get('narrow').getSnapshot().rejected).toBe(2);
  });

  it('service.error says whether the operation is critical', async () => {
    const { target, metrics } = await shop({ alerts: [] });
    for (const method of ['critical', 'nice', 'answered'] as const) await settle(target[method]());
    expect(series(metrics, 'service.error')).toEqual([
      [{ operation: 'Shop.critical', critical: 'true' }, 1],
      [{ operation: 'Shop.nice', critical: 'false' }, 1],
      [{ operation: 'Shop.answered', critical: 'false' }, 1],
    ]);
  });

  it('service.fallback_success and service.fallback_failed', async () => {
    const { target, metrics } = await shop();
    await settle(target.answered());
    target.fallback = () => {
      throw new Error('fallback down');
    };
    await settle(target.answered());
    await settle(target.nice());
    expect(series(metrics, 'service.fallback_success')).toEqual([
      [{ operation: 'Shop.answered' }, 1],
    ]);
    expect(series(metrics, 'service.fallback_failed')).toEqual([
      [{ operation: 'Shop.answered' }, 1],
      [{ operation: 'Shop.nice' }, 1],
    ]);
  });
});

describe('InMemoryMetrics', () => {
  it('adds up counters, keeps the last of a gauge and sums up observations', () => {
    const metrics = new InMemoryMetrics();
    metrics.increment('c');
    metrics.increment('c', { a: 1 }, 4);
    metrics.gauge('g', 5, { a: true });
    metrics.gauge('g', 3, { a: true });
    for (const value of [2, 8, 5]) metrics.observe('h', value);
    expect(metrics.get('c')).toBe(5);
    expect(metrics.get('c', { a: 1 })).toBe(4);
    expect(metrics.get('c', { a: 2 })).toBe(0);
    expect(metrics.get('g')).toBe(3);
    expect(metrics.get('h')).toBe(3);
    expect(metrics.get('unknown')).toBe(0);
    expect(metrics.snapshot()).toEqual([
      { name: 'c', kind: 'counter', tags: {}, value: 1 },
      { name: 'c', kind: 'counter', tags: { a: '1' }, value: 4 },
      { name: 'g', kind: 'gauge', tags: { a: 'true' }, value: 3 },
      { name: 'h', kind: 'histogram', tags: {}, value: 3, sum: 15, min: 2, max: 8 },
    ]);
  });

  it('does not care for the order of tags, nor for undefined ones', () => {
    const metrics = new InMemoryMetrics();
    metrics.increment('c', { a: 1, b: 2 });
    metrics.increment('c', { b: 2, a: 1 });
    metrics.increment('c', { a: 1, b: 2, c: undefined } as never);
    expect(metrics.snapshot()).toHaveLength(1);
    expect(metrics.get('c', { b: 2 })).toBe(3);
  });

  it('hands out a copy', () => {
    const metrics = new InMemoryMetrics();
    metrics.increment('c', { a: 1 });
    const [copy] = metrics.snapshot();
    if (copy !== undefined) {
      copy.value = 99;
      copy.tags.a = 'changed';
    }
    expect(metrics.get('c', { a: 1 })).toBe(1);
  });

  it('is bounded, whatever the tags', () => {
    const metrics = new InMemoryMetrics();
    for (let n = 0; n < 20_000; n++) metrics.increment('c', { n });
    expect(metrics.get('c')).toBe(20_000);
    expect(metrics.snapshot().length).toBeLessThan(15_000);
    expect(metrics.get('c', { __other__: true })).toBeGreaterThan(0);
  });

  it('tells on after reset() what gauges stand at, which is no count, and takes their next value', () => {
    const metrics = new InMemoryMetrics();
    const bound = metrics.bind('gauge', 'g', { a: 1 });
    bound(2);
    metrics.gauge('g', 5, { a: 2 });
    metrics.observe('h', 1);
    metrics.reset();
    expect(metrics.snapshot().map(({ name, value }) => [name, value])).toEqual([
      ['g', 2],
      ['g', 5],
    ]);
    bound(3);
    expect(metrics.get('g', { a: 1 })).toBe(3);
  });

  it('forgets everything on reset(), and goes on with the same tags', () => {
    const metrics = new InMemoryMetrics();
    const tags = { a: 1 };
    metrics.increment('c', tags);
    metrics.reset();
    expect(metrics.snapshot()).toEqual([]);
    metrics.increment('c', tags);
    expect(metrics.get('c')).toBe(1);
    expect(metrics.snapshot()).toHaveLength(1);
  });
});

describe('A MetricsRecorder that joins later', () => {
  it('is told first what every gauge stands at: open breakers, idle and busy bulkheads', async () => {
    const app = await ResilienceApp.boot({
      breakers: { payments: {}, idle: {} },
      bulkheads: { write: { maxConcurrent: 3 }, adaptive: { adaptive: true, maxConcurrent: 8 } },
    });
    app.breakers.get('payments').forceOpen();
    void app.bulkheads.get('write').execute(() => new Promise(() => undefined));
    const fanOut = app.module.get(MetricsFanOut);
    fanOut.gauge('shop.stock', 7, { shop: 'eu' });
    const [late, resetLater] = [new InMemoryMetrics(), app.metrics];
    const remove = fanOut.add(late);
    resetLater.reset();
    for (const metrics of [late, resetLater]) {
      expect(metrics.get('circuit.state', { breaker: 'payments' })).toBe(2);
      expect(metrics.get('bulkhead.running', { bulkhead: 'write' })).toBe(1);
      expect(metrics.get('bulkhead.limit', { bulkhead: 'adaptive' })).toBeGreaterThan(0);
      expect(metrics.get('shop.stock')).toBe(7);
      const known = metrics.snapshot().map(({ name, tags }) => [name, Object.values(tags)[0]]);
      expect(known).toEqual(
        expect.arrayContaining([
          ['circuit.state', 'idle'],
          ['bulkhead.queued', 'write'],
          ['bulkhead.running', 'adaptive'],
        ]),
      );
    }
    app.breakers.get('payments').reset();
    remove();
    app.breakers.get('payments').forceOpen();
    expect(late.get('circuit.state', { breaker: 'payments' })).toBe(0);
    fanOut.add(late);
    expect(late.get('circuit.state', { breaker: 'payments' })).toBe(2);
    await app.close();
  });

  it('harms nobody where it throws, and what is remembered is bounded', () => {
    const broken = () => {
      throw new Error('recorder down');
    };
    const fanOut = new MetricsFanOut([]);
    for (let n = 0; n < 20_000; n++) fanOut.gauge('g', n, { n });
    const late = new InMemoryMetrics();
    fanOut.add({ increment: broken, gauge: broken, observe: broken });
    fanOut.add(late);
    expect(late.snapshot()).toHaveLength(10_000);
  });
});

describe('A MetricsRecorder that fails', () => {
  it.each([
    [
      'throws',
      () => {
        throw new Error('recorder down');
      },
    ],
    ['rejects', () => Promise.reject(new Error('recorder down'))],
  ])('and %s harms no call and no other recorder, and is warned of once', async (_how, fail) => {
    const broken: MetricsRecorder = { increment: fail, gauge: fail, observe: fail };
    await harmsNothing(broken);
    await harmsNothing({ ...broken, bind: () => fail });
  });

  async function harmsNothing(broken: MetricsRecorder): Promise<void> {
    const healthy = new InMemoryMetrics();
    const { target, logger } = await shop({ metrics: [broken, healthy], alerts: [] });
    expect(await settle(target.retried())).toBe(down);
    expect(await settle(target.guarded())).toBe(down);
    expect(await settle(target.answered())).toBe('instead');
    expect(healthy.get('requests.total')).toBe(3);
    expect(healthy.get('retry.attempt')).toBe(2);
    const warnings = logger.messages('warn').filter((text) => /recorder down/.test(String(text)));
    expect(warnings).toHaveLength(1);
  }
});

describe('ResilienceEvents', () => {
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  it('tells of retries', async () => {
    const { target, events } = await shop();
    await settle(target.retried());
    const operation = 'Shop.retried';
    expect(events).toEqual([
      { type: 'retry', operation, error: down, attempt: 1, delayMs: 100, timestamp },
      { type: 'retry', operation, error: down, attempt: 2, delayMs: 200, timestamp },
    ]);
  });

  it('tells of timeouts', async () => {
    const { target, events } = await shop();
    target.outcome = never;
    await settle(target.limited());
    expect(events).toEqual([
      { type: 'timeout', operation: 'Shop.limited', timeoutMs: 500, timestamp },
    ]);
  });

  it('tells of the states and rejections of a breaker', async () => {
    const { target, events } = await shop();
    for (let n = 0; n < 3; n++) await settle(target.guarded(), 0);
    await jest.advanceTimersByTimeAsync(1_000);
    target.outcome = async () => 'ok';
    await settle(target.guarded(), 0);
    const change = {
      type: 'circuit-state',
      breaker: 'stock',
      timestamp,
      reason: expect.any(String),
      calls: 1,
      failures: 0,
      failureRate: 0,
    };
    const counts = { calls: 2, failures: 2, failureRate: 100 };
    expect(events).toEqual([
      {
        ...change,
        ...counts,
        from: CircuitState.CLOSED,
        to: CircuitState.OPEN,
        error: expect.any(Error),
        retryAfterMs: 1_000,
      },
      { type: 'circuit-rejected', breaker: 'stock', retryAfterMs: 1_000, timestamp },
      { ...change, ...counts, from: CircuitState.OPEN, to: CircuitState.HALF_OPEN },
      { ...change, from: CircuitState.HALF_OPEN, to: CircuitState.CLOSED },
    ]);
  });

  it('tells of the rejections of a bulkhead, with the reason', async () => {
    const { app, target, events } = await shop({ shutdown: { graceMs: 0 } });
    target.outcome = never;
    void target.crowded();
    const queued = settle(target.crowded(), 0);
    await settle(target.crowded(), 0);
    await jest.advanceTimersByTimeAsync(300);
    await queued;
    const last = settle(target.crowded(), 0);
    await app.close();
    await last;
    const rejected = { type: 'bulkhead-rejected', bulkhead: 'narrow', timestamp };
    expect(events).toEqual([
      { ...rejected, reason: 'full' },
      { ...rejected, reason: 'queue-timeout' },
      { ...rejected, reason: 'shutdown' },
    ]);
  });

  it('tells of fallbacks that answered, and that failed', async () => {
    const { target, events } = await shop();
    await settle(target.answered());
    const fallbackError = new Error('fallback down');
    target.fallback = () => {
      throw fallbackError;
    };
    await settle(target.answered());
    const fallback = { type: 'fallback', operation: 'Shop.answered', error: down, timestamp };
    expect(events).toEqual([
      { ...fallback, succeeded: true },
      { ...fallback, succeeded: false, fallbackError },
    ]);
  });

  it('tells of degradation', async () => {
    const { target, events } = await shop();
    target.fallback = () => {
      throw new Error('fallback down');
    };
    await settle(target.nice());
    expect(events.map(({ type }) => type)).toEqual(['fallback', 'degraded']);
    expect(events[1]).toEqual({
      type: 'degraded',
      operation: 'Shop.nice',
      error: down,
      timestamp,
    });
  });

  it('tells of alerts that were sent', async () => {
    const { target, events } = await shop({ alerts: [] });
    await settle(target.critical(), 0);
    await settle(target.critical(), 0);
    expect(events).toEqual([
      { type: 'alert', operation: 'Shop.critical', error: down, suppressed: 0, timestamp },
    ]);
  });

  it('a subscriber that throws or rejects, also after operators, harms neither call nor process', async () => {
    const { app, target, events, logger } = await shop();
    const { events$ } = app.get(ResilienceEvents);
    const boom = (): never => {
      throw new Error('subscriber down');
    };
    events$.subscribe(boom);
    events$.subscribe((async () => boom()) as () => void);
    events$.pipe(map(boom)).subscribe();
    events$.pipe(filter(({ type }) => type === 'retry')).subscribe(boom);
    expect(await settle(target.retried())).toBe(down);
    expect(events).toHaveLength(2);
    expect(
      logger.messages('warn').filter((text) => /subscriber down/.test(String(text))),
    ).toHaveLength(1);
  });

  it('can be awaited with firstValueFrom()', async () => {
    const { app, target } = await shop();
    const first = firstValueFrom(app.get(ResilienceEvents).events$);
    await settle(target.answered());
    expect((await first).type).toBe('fallback');
  });
});

describe('Alerts', () => {
  type Sent = [message: string, alert: CriticalAlert];

  function recorder(): { sent: Sent[]; channel: AlertChannel } {
    const sent: Sent[] = [];
    return { sent, channel: { sendCritical: (...alert) => void sent.push(alert) } };
  }

  it('are sent for the final failure of a critical operation, with what is known', async () => {
    const { sent, channel } = recorder();
    const { target } = await shop({ alerts: channel, errorContext: () => ({ requestId: 'r1' }) });
    expect(await settle(target.critical('4111 1111'))).toBe(down);
    expect(sent).toEqual([
      [
        expect.stringContaining('Shop.critical'),
        {
          operation: 'Shop.critical',
          error: down,
          type: 'DownError',
          message: 'down',
          context: { service: 'Shop', operation: 'Shop.critical', requestId: 'r1' },
          suppressed: 0,
        },
      ],
    ]);
    expect(JSON.stringify(sent)).not.toContain('4111');
  });

  it('are sent whether or not a fallback answers', async () => {
    const { sent, channel } = recorder();
    const { target } = await shop({ alerts: channel });
    expect(await settle(target.criticalAnswered())).toBe('instead');
    expect(sent).toHaveLength(1);
  });

  it('are not sent for operations that are not critical, nor for client errors', async () => {
    const { sent, channel } = recorder();
    const { target } = await shop({ alerts: channel });
    for (const method of ['retried', 'answered', 'nice'] as const) await settle(target[method]());
    target.outcome = async () => {
      throw new BadRequestException();
    };
    await settle(target.critical());
    expect(sent).toEqual([]);
  });

  it('are throttled for each operation by itself, and count those held back', async () => {
    const { sent, channel } = recorder();
    const { target } = await shop({ alerts: channel });
    const alerts = () => sent.map(([, { operation, suppressed }]) => [operation, suppressed]);
    for (let n = 0; n < 4; n++) await settle(target.critical(), 0);
    await settle(target.otherCritical(), 0);
    expect(alerts()).toEqual([
      ['Shop.critical', 0],
      ['Shop.otherCritical', 0],
    ]);
    await jest.advanceTimersByTimeAsync(59_990);
    await settle(target.critical(), 0);
    expect(sent).toHaveLength(2);
    await jest.advanceTimersByTimeAsync(10);
    await settle(target.critical(), 0);
    expect(alerts()[2]).toEqual(['Shop.critical', 4]);
    await jest.advanceTimersByTimeAsync(60_000);
    await settle(target.critical(), 0);
    expect(alerts()[3]).toEqual(['Shop.critical', 0]);
  });

  it('follow alertIntervalMs, and with 0 none is held back', async () => {
    for (const [alertIntervalMs, expected] of [
      [0, 3],
      [1_000, 1],
    ] as const) {
      const { sent, channel } = recorder();
      const { target } = await shop({ alerts: channel, alertIntervalMs });
      for (let n = 0; n < 3; n++) await settle(target.critical(), 0);
      expect(sent).toHaveLength(expected);
    }
  });

  it('go to every channel, though one throws, one rejects and one hangs', async () => {
    const { sent, channel } = recorder();
    const alerts: AlertChannel[] = [
      {
        sendCritical() {
          throw new Error('pager down');
        },
      },
      { sendCritical: () => Promise.reject(new Error('chat down')) },
      { sendCritical: never },
      channel,
    ];
    const { target, logger } = await shop({ alerts, alertIntervalMs: 0 });
    expect(await settle(target.critical(), 0)).toBe(down);
    expect(await settle(target.criticalAnswered(), 0)).toBe('instead');
    expect(sent).toHaveLength(2);
    expect(logger.messages('warn').filter((text) => /down/.test(String(text)))).toHaveLength(1);
  });

  it('are sent also where errorContext throws', async () => {
    const { sent, channel } = recorder();
    const { target } = await shop({
      alerts: channel,
      errorContext: () => {
        throw new Error('no store');
      },
    });
    expect(await settle(target.critical())).toBe(down);
    expect(sent[0]?.[1].context).toEqual({ service: 'Shop', operation: 'Shop.critical' });
  });

  it('go to the log by default, as one structured record', async () => {
    const { target, logger } = await shop({ errorTracker: { log: false } });
    await settle(target.critical());
    expect(logger.messages('error')).toEqual([
      {
        event: 'critical_failure',
        message: expect.stringContaining('Shop.critical'),
        error_type: 'DownError',
        error_message: 'down',
        service: 'Shop',
        operation: 'Shop.critical',
        suppressed: 0,
      },
    ]);
  });

  it('LoggerAlertChannel can be used on its own, beside others', () => {
    const logger = new RecordingLogger();
    Logger.overrideLogger(logger);
    const context = { service: 's', operation: 'o' };
    const alert: CriticalAlert = { operation: 'o', error: 'boom', context, suppressed: 3 };
    new LoggerAlertChannel().sendCritical('it failed', alert);
    expect(logger.messages('error')).toEqual([
      expect.objectContaining({ message: 'it failed', error_type: 'NonError', suppressed: 3 }),
    ]);
  });
});
