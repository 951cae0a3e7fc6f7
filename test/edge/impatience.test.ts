import { EventEmitter } from 'node:events';
import { jest } from '@jest/globals';
import { Controller, Get, Injectable } from '@nestjs/common';
import { firstValueFrom, NEVER } from 'rxjs';
import { runInScope } from '../../lib/context/ambient.js';
import { ClientScope } from '../../lib/edge/client-scope.js';
import {
  BulkheadPolicy,
  BulkheadRejectedError,
  CircuitBreaker,
  CircuitBreakerPolicy,
  CircuitBreakerRegistry,
  Critical,
  type CriticalAlert,
  currentSignal,
  ErrorTracker,
  InMemoryMetrics,
  type ResilienceModuleOptions,
  resilientFetch,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll, track } from '../binding/support.js';
import { booting, elapse, failure, flush, never, watch } from '../support/resilience-app.js';
import { EXPRESS, FASTIFY, type Listening, listen } from './adapters.support.js';
import { until } from './waiting.js';

/** The deadline of a request that can be relied on, and of one that cannot. */
const RELIABLE = { inbound: { trustDeadline: true } };
const ANYBODYS: ResilienceModuleOptions = {};

describe.each([EXPRESS, FASTIFY])(
  'On $name, five strangers who give their requests 10 ms',
  (platform) => {
    afterEach(closeAll);

    @Injectable()
    class Payments {
      @Critical()
      @CircuitBreaker('payments')
      @Timeout(3_000)
      async charge(): Promise<string> {
        return never();
      }
    }
    @Controller()
    class Checkout {
      constructor(private readonly payments: Payments) {}
      @Get()
      pay(): Promise<string> {
        return this.payments.charge();
      }
      @Get('decorated')
      @Critical()
      @CircuitBreaker('payments')
      async payHere(): Promise<string> {
        return never();
      }
    }

    async function serve(options: ResilienceModuleOptions) {
      const alerts: CriticalAlert[] = [];
      const { app } = await listen(
        platform,
        { controllers: [Checkout], providers: [Payments] },
        {
          breakers: { payments: { failureThreshold: 5 } },
          alerts: { sendCritical: async (_, alert) => void alerts.push(alert) },
          errorTracker: { log: false },
          ...options,
        },
      );
      track({ close: async () => app.getHttpServer().closeAllConnections() });
      const url = await app.getUrl();
      const ask = (path: string, timeoutMs = 10) =>
        fetch(url + path, { headers: { 'x-request-timeout-ms': String(timeoutMs) } }).then(
          ({ status }) => status,
        );
      return {
        alerts,
        ask,
        breaker: app.get(CircuitBreakerRegistry).get('payments'),
        tracker: app.get(ErrorTracker),
        metrics: app.get(InMemoryMetrics),
      };
    }

    it.each(['/', '/decorated'])(
      'are answered 504, and nothing is learned, counted or alerted of them (%s)',
      async (path) => {
        const { alerts, ask, breaker, tracker, metrics } = await serve(ANYBODYS);
        for (let request = 0; request < 5; request++) expect(await ask(path)).toBe(504);
        expect(breaker.getSnapshot()).toMatchObject({ state: 'CLOSED', calls: 0 });
        expect(alerts).toEqual([]);
        expect(tracker.getMetrics().total).toBe(0);
        expect(metrics.snapshot().filter(({ name }) => name === 'requests.total')).toEqual([]);
      },
    );

    it('open the breaker and raise an alert where their deadlines are trusted', async () => {
      const { alerts, ask, breaker, tracker } = await serve(RELIABLE);
      for (let request = 0; request < 5; request++) expect(await ask('/', 150)).toBe(504);
      expect(await ask('/', 10_000)).toBe(503);
      expect(breaker.getState()).toBe('OPEN');
      expect(alerts).toHaveLength(1);
      expect(tracker.getMetrics().byType.get('TimeoutError')).toBe(5);
    });
  },
);

it('A deadline that a service passes on from a stranger is not trusted further in either', async () => {
  let ends = 0;
  @Injectable()
  class Stock {
    @CircuitBreaker('stock')
    async count(): Promise<string> {
      currentSignal().addEventListener('abort', () => ends++);
      return never();
    }
  }
  @Controller()
  class Inner {
    constructor(private readonly stock: Stock) {}
    @Get()
    get(): Promise<string> {
      return this.stock.count();
    }
  }
  const breakers = { stock: { failureThreshold: 1 }, inner: { failureThreshold: 1 } };
  const inner = await listen(
    EXPRESS,
    { controllers: [Inner], providers: [Stock] },
    { breakers, ...RELIABLE },
  );
  const url = await inner.app.getUrl();
  @Controller()
  class Outer {
    @Get()
    @CircuitBreaker('inner')
    async get(): Promise<string> {
      return (await resilientFetch(url)).text();
    }
  }
  const states = async (options: ResilienceModuleOptions) => {
    const outer = await listen(EXPRESS, { controllers: [Outer] }, { breakers, ...options });
    ends = 0;
    const headers = { 'x-request-timeout-ms': '1000' };
    const { status } = await fetch(await outer.app.getUrl(), { headers });
    const breakerOf = ({ app }: Listening, name: string) =>
      app.get(CircuitBreakerRegistry).get(name);
    const [far, near] = [breakerOf(inner, 'stock'), breakerOf(outer, 'inner')];
    await until(() => ends === 1, 'the end further in');
    return [status, near.getState(), far.getState()];
  };
  expect(await states(ANYBODYS)).toEqual([504, 'CLOSED', 'CLOSED']);
  expect(await states(RELIABLE)).toEqual([504, 'OPEN', 'OPEN']);
  await closeAll();
});

describe('What is called for a client that has a deadline', () => {
  const boot = booting();
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** As the interceptor makes one for a request; time is faked. */
  function client(timeoutMs: number, trusted = false) {
    const emitter = new EventEmitter();
    const connection = {
      isShared: false,
      onEnd: (callback: () => void) => {
        emitter.on('close', callback);
        return undefined;
      },
      isOver: () => false,
      isGone: () => false,
      isCommitted: () => false,
    };
    const expiresAt = performance.now() + timeoutMs;
    const scope = new ClientScope(connection, {
      expiresAt,
      timeoutMs,
      trusted,
      critical: undefined,
    });
    setTimeout(() => scope.expire(), timeoutMs);
    return {
      scope,
      leave: () => emitter.emit('close'),
      calls: <T>(fn: () => T): T => runInScope(scope, fn),
    };
  }

  const LONG = { timeoutMs: 3_000 };
  const EAGER = { failureThreshold: 1 };

  async function critical(more: object = {}) {
    const alerts: CriticalAlert[] = [];
    const app = await boot({
      alerts: { sendCritical: async (_, alert) => void alerts.push(alert) },
    });
    const pipeline = app.pipeline({ critical: true, circuitBreaker: EAGER, ...more });
    const breaker = pipeline.plan.stages.circuitBreaker as CircuitBreakerPolicy;
    const learned = () => ({
      state: breaker.getState(),
      alerts: alerts.length,
      tracked: app.tracker.getMetrics().total,
    });
    return { app, pipeline, breaker, learned };
  }
  const NOTHING = { state: 'CLOSED', alerts: 0, tracked: 0 };
  const ALL = { state: 'OPEN', alerts: 1, tracked: 1 };

  const KINDS: [string, (pipeline: import('../../lib/index.js').Pipeline) => Promise<unknown>][] = [
    ['a promise', (it) => it.execute(never)],
    ['an Observable', (it) => firstValueFrom(it.observe(() => NEVER))],
    ['a call inside another', (it) => it.execute(() => it.execute(never))],
  ];

  it.each(KINDS)('teaches nothing by its impatience: %s', async (_kind, call) => {
    for (const [trusted, learns] of [
      [false, NOTHING],
      [true, ALL],
    ] as const) {
      const { pipeline, learned } = await critical(LONG);
      const called = failure(client(10, trusted).calls(() => call(pipeline)));
      await elapse(10);
      expect(await called).toMatchObject({
        name: 'TimeoutError',
        timeoutMs: 10,
        byClient: !trusted,
      });
      expect(learned()).toMatchObject({ state: learns.state, alerts: learns.alerts });
      expect(learned().tracked > 0).toBe(trusted);
    }
  });

  it('teaches by a timeout of its own, which comes before the end of the patience', async () => {
    const { pipeline, learned } = await critical({ timeoutMs: 5 });
    const called = failure(client(10).calls(() => pipeline.execute(never)));
    await elapse(5);
    expect(await called).toMatchObject({ timeoutMs: 5, byClient: false });
    expect(learned()).toEqual(ALL);
  });

  it('teaches by the timeout of a call around it, likewise', async () => {
    const { app, pipeline, learned } = await critical(LONG);
    const outer = app.pipeline({ timeoutMs: 5 });
    const called = failure(client(10).calls(() => outer.execute(() => pipeline.execute(never))));
    await elapse(5);
    expect(await called).toMatchObject({ timeoutMs: 5, byClient: false });
    expect(learned()).toMatchObject({ state: 'OPEN', alerts: 1 });
  });

  it('teaches nothing by a timeout of its own that is heard of first, though the patience ended before', async () => {
    const { pipeline, learned } = await critical({ timeoutMs: 20 });
    const { scope, calls } = client(60_000);
    scope.expiresAt = performance.now() + 10; // as where the timer of the request is late
    const called = failure(calls(() => pipeline.execute(never)));
    await elapse(20);
    expect(await called).toMatchObject({ timeoutMs: 60_000, byClient: true });
    expect(learned()).toEqual(NOTHING);
  });

  it('teaches nothing by what fails as the patience ends, and by what does not even begin', async () => {
    const { app, pipeline, learned } = await critical(LONG);
    const alone = new CircuitBreakerPolicy('alone', EAGER);
    for (const leftMs of [1, 0, -5]) {
      const { scope, calls } = client(60_000);
      scope.expiresAt = performance.now() + leftMs;
      const error = Object.assign(new Error('504'), { status: 504 }); // further in, it was over before
      const fail = async () => {
        throw error;
      };
      for (const call of [
        () => pipeline.execute(fail),
        () => alone.execute(fail),
        () => app.pipeline({ critical: true }).execute(() => pipeline.execute(fail)),
      ]) {
        expect(await failure(calls(call))).toMatchObject(
          leftMs > 0 ? { status: 504 } : { byClient: true },
        );
      }
    }
    expect(learned()).toEqual(NOTHING);
    expect(alone.getSnapshot()).toMatchObject({ state: 'CLOSED', calls: 0 });
  });

  it('teaches what fails by itself before, as ever', async () => {
    const { pipeline, learned } = await critical(LONG);
    const down = async () => {
      throw new Error('down');
    };
    await expect(client(10).calls(() => pipeline.execute(down))).rejects.toThrow('down');
    expect(learned()).toEqual(ALL);
  });

  it('teaches nothing where the client hangs up near its deadline', async () => {
    for (const [trusted, learns] of [
      [false, NOTHING],
      [true, ALL],
    ] as const) {
      const { pipeline, learned } = await critical(LONG);
      const { calls, leave } = client(1_000, trusted);
      const called = failure(calls(() => pipeline.execute(never)));
      await elapse(950);
      leave();
      expect(await called).toBeInstanceOf(TimeoutError);
      expect(learned()).toEqual(learns);
    }
  });

  it('teaches a breaker on its own nothing, whatever its isFailure says', async () => {
    for (const [trusted, state] of [
      [false, 'CLOSED'],
      [true, 'OPEN'],
    ] as const) {
      const breaker = new CircuitBreakerPolicy('alone', { ...EAGER, isFailure: () => true });
      const called = client(10, trusted).calls(() => breaker.execute(never));
      called.catch(() => undefined);
      await elapse(10);
      expect(breaker.getState()).toBe(state);
    }
  });

  it('leaves a probe to the next call', async () => {
    const breaker = new CircuitBreakerPolicy('alone', {
      ...EAGER,
      timeoutMs: 100,
      successThreshold: 1,
    });
    await failure(breaker.execute(() => Promise.reject(new Error('down'))));
    await elapse(100);
    client(10)
      .calls(() => breaker.execute(never))
      .catch(() => undefined);
    await elapse(10);
    expect(breaker.getState()).toBe('HALF_OPEN');
    await breaker.execute(async () => 'fine');
    expect(breaker.getState()).toBe('CLOSED');
  });

  it('is not the failure of another who waits for the same answer', async () => {
    const { pipeline, learned } = await critical(LONG);
    const { app, pipeline: inner } = await critical();
    const shared = client(10).calls(() => inner.execute(never));
    shared.catch(() => undefined);
    const other = failure(client(5_000).calls(() => pipeline.execute(() => shared)));
    await elapse(10);
    expect(await other).toMatchObject({ byClient: true });
    expect(learned()).toEqual(NOTHING);
    void app;
  });

  it('raises no alert where it leaves no time for a retry, although the failure counts', async () => {
    for (const [trusted, alerts] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const { pipeline, learned } = await critical({
        retry: { maxAttempts: 3, baseDelayMs: 100, jitter: 'none' },
      });
      const down = async () => {
        throw new Error('down');
      };
      const called = client(50, trusted).calls(() => pipeline.execute(down));
      await expect(called).rejects.toThrow('down');
      expect(learned()).toEqual({ state: 'OPEN', alerts, tracked: 1 });
    }
  });

  it('is counted nowhere during the wait for a retry', async () => {
    const { app, pipeline, learned } = await critical({
      circuitBreaker: { failureThreshold: 9 },
      retry: { maxAttempts: 3, baseDelayMs: 100, jitter: 'none' },
    });
    const { scope, calls } = client(150);
    const called = failure(
      calls(() => pipeline.execute(async () => Promise.reject(new Error('down')))),
    );
    await flush();
    scope.expire();
    expect(await called).toMatchObject({ byClient: true });
    expect(learned()).toEqual(NOTHING);
    expect(app.metrics.snapshot().filter(({ name }) => name === 'requests.total')).toEqual([]);
  });

  it('raises no alert where it is too short for the queue of a bulkhead; a fallback answers', async () => {
    const { app, pipeline, learned } = await critical({
      bulkhead: { maxConcurrent: 1 },
      fallback: (error: unknown) => error,
    });
    const answer = () => new Promise((resolve) => setTimeout(resolve, 40));
    for (let run = 0; run < 5; run++) {
      void pipeline.execute(answer);
      await elapse(40);
    }
    void pipeline.execute(answer);
    const refused = client(10).calls(() => pipeline.execute(answer));
    expect(await refused).toMatchObject({ reason: 'deadline', byClient: true });
    expect(await refused).toBeInstanceOf(BulkheadRejectedError);
    expect(learned()).toEqual(NOTHING);
    const own = app.pipeline({ timeoutMs: 10, critical: true });
    await failure(
      own.execute(() =>
        (pipeline.execute(answer) as Promise<unknown>).then((it) => Promise.reject(it)),
      ),
    );
    expect(learned()).toMatchObject({ state: 'CLOSED', alerts: 2 });
    await elapse(40);
  });

  it('is not why a bulkhead is full: that it would be for everybody', async () => {
    const { pipeline } = await critical({ bulkhead: { maxConcurrent: 1, queueLimit: 0 } });
    void pipeline.execute(never);
    const refused = failure(client(1_000).calls(() => pipeline.execute(never)));
    expect(await refused).toMatchObject({ reason: 'full', byClient: false });
  });

  it.each([
    ['alone', async () => new BulkheadPolicy('alone', { adaptive: true, maxConcurrent: 50 })],
    [
      'in a pipeline',
      async () => (await boot()).pipeline({ bulkhead: { adaptive: true, maxConcurrent: 50 } }),
    ],
  ])('does not move an adaptive limit, %s', async (_where, make) => {
    const makeWarm = async () => {
      const made = await make();
      const bulkhead =
        made instanceof BulkheadPolicy ? made : (made.plan.stages.bulkhead as BulkheadPolicy);
      for (let round = 0; round < 40; round++) {
        for (let call = 0; call < 20; call++)
          void made.execute(() => new Promise((resolve) => setTimeout(resolve, 40)));
        await elapse(40);
      }
      await elapse(40 * 20);
      return { made, limit: () => bulkhead.getSnapshot().maxConcurrent };
    };
    const { made, limit } = await makeWarm();
    const before = limit();
    expect(before).toBeGreaterThan(10);
    const storm = async (trusted: boolean) => {
      for (let request = 0; request < 1_200; request++) {
        const answer = () => new Promise((resolve) => setTimeout(resolve, 40));
        watch(client(12, trusted).calls(() => made.execute(answer)));
        if (request % 10 === 9) await elapse(40);
      }
    };
    await storm(false);
    expect(limit()).toBe(before);
    await storm(true);
    expect(limit()).toBeLessThan(before);
  });
});
