import type { AddressInfo } from 'node:net';
import { jest } from '@jest/globals';
import { Controller, Get, Injectable } from '@nestjs/common';
import {
  HealthCheck,
  HealthCheckService,
  type HealthIndicatorService,
  TerminusModule,
} from '@nestjs/terminus';
import {
  Bulkhead,
  Chaos,
  CircuitBreaker,
  CircuitBreakerRegistry,
  CircuitState,
  Critical,
  Fallback,
  ResilienceConfigurationError,
  ResilienceService,
} from '../../lib/index.js';
import { ResilienceHealthIndicator } from '../../lib/terminus/index.js';
import { boot, closeAll } from '../binding/support.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { Deferred } from '../support/resilience-app.js';

afterEach(async () => {
  jest.useRealTimers();
  await closeAll();
});

@Injectable()
class Shop {
  down = true;
  readonly report$ = new Deferred();

  @Critical()
  @CircuitBreaker('payments')
  @Fallback(() => 'queued')
  async pay(): Promise<string> {
    return this.answer();
  }

  @Critical(false)
  @CircuitBreaker('banner')
  async banner(): Promise<string | null> {
    return this.answer();
  }

  @CircuitBreaker('search')
  @Fallback(() => 'nothing')
  async search(): Promise<string> {
    return this.answer();
  }

  @Critical(false)
  @CircuitBreaker('search')
  async suggest(): Promise<string | null> {
    return this.answer();
  }

  /** Nice to have, by way of a dependency that is critical for another. */
  @Critical(false)
  @CircuitBreaker('payments')
  async receipt(): Promise<string | null> {
    return this.answer();
  }

  @Critical()
  @Bulkhead('reports')
  async report(): Promise<unknown> {
    return this.report$.promise;
  }

  private answer(): string {
    if (this.down) throw new Error('503');
    return 'fine';
  }
}

@Controller()
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly resilience: ResilienceHealthIndicator,
    private readonly shop: Shop,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([
      () => this.resilience.isHealthy(),
      () => ({ database: { status: 'up' as const } }),
    ]);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.resilience.isHealthy('shop', { downOnCritical: true })]);
  }

  @Get('pay')
  pay() {
    return this.shop.pay();
  }
}

interface Detail {
  status: string;
  [key: string]: unknown;
}
interface Resilience extends Detail {
  degraded?: string[];
  down?: string[];
  breakers: Record<string, Detail>;
  bulkheads: Record<string, Detail>;
}

const OPEN_MS = 30_000;

async function open() {
  const fails = { failureThreshold: 1, successThreshold: 2, timeoutMs: OPEN_MS };
  const { app } = await boot(
    {
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController],
      providers: [Shop, ResilienceHealthIndicator],
    },
    {
      breakers: { payments: fails, banner: fails, search: fails, unused: fails },
      bulkheads: { reports: { maxConcurrent: 2, queueLimit: 1 } },
      errorTracker: { log: false },
      alerts: { sendCritical: () => undefined },
    },
  );
  await app.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
  return {
    app,
    shop: app.get(Shop),
    breaker: (name: string) => app.get(CircuitBreakerRegistry).get(name),
    async get(path: string) {
      const response = await fetch(`${url}/${path}`);
      return { code: response.status, text: await response.text() };
    },
    async probe(path: 'health' | 'ready' = 'health') {
      const { code, text } = await this.get(path);
      const { status, details } = JSON.parse(text) as {
        status: string;
        details: Record<string, Resilience>;
      };
      return { code, status, details, it: details[path === 'ready' ? 'shop' : 'resilience'] };
    },
  };
}

/** Time passes for breakers and for nothing else: the sockets need theirs. */
function fakeClock(): void {
  jest.useFakeTimers({
    doNotFake: [
      'Date',
      'hrtime',
      'nextTick',
      'queueMicrotask',
      'setImmediate',
      'clearImmediate',
      'setInterval',
      'clearInterval',
      'setTimeout',
      'clearTimeout',
    ],
  });
}

describe('ResilienceHealthIndicator', () => {
  it('is up while every breaker is closed and every bulkhead has room', async () => {
    const app = await open();
    const { code, status, details } = await app.probe();
    expect([code, status]).toEqual([200, 'ok']);
    expect(details).toEqual({
      database: { status: 'up' },
      resilience: {
        status: 'up',
        breakers: {
          payments: { status: 'up', state: 'CLOSED' },
          banner: { status: 'up', state: 'CLOSED' },
          search: { status: 'up', state: 'CLOSED' },
          unused: { status: 'up', state: 'CLOSED' },
        },
        bulkheads: {
          reports: { status: 'up', running: 0, queued: 0, maxConcurrent: 2, queueLimit: 1 },
        },
        rateLimits: {},
      },
    });
  });

  it('is degraded by the open breaker of something nice to have, and says what does not get through', async () => {
    const app = await open();
    await app.shop.banner();
    for (const path of ['health', 'ready'] as const) {
      const { code, status, it } = await app.probe(path);
      expect([code, status, it?.status]).toEqual([200, 'degraded', 'degraded']);
      expect([it?.degraded, it?.down]).toEqual([['breakers.banner'], undefined]);
      expect(it?.breakers.payments).toEqual({ status: 'up', state: 'CLOSED' });
      expect(it?.breakers.banner).toEqual({
        status: 'degraded',
        state: 'OPEN',
        critical: false,
        operations: ['Shop.banner'],
        failureRate: 100,
        openedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        retryAfterMs: expect.any(Number),
      });
    }
  });

  it('is only degraded by the open breaker of a critical operation, unless asked to be down', async () => {
    const app = await open();
    await app.shop.pay();
    const { code, status, it } = await app.probe('health');
    expect([code, status, it?.status]).toEqual([200, 'degraded', 'degraded']);
    expect(it?.breakers.payments).toMatchObject({
      status: 'degraded',
      critical: true,
      operations: ['Shop.pay', 'Shop.receipt'],
    });
  });

  it('is down for the open breaker of a critical operation where that is asked for', async () => {
    const app = await open();
    await app.shop.receipt();
    await app.shop.banner();
    const { code, status, it } = await app.probe('ready');
    expect([code, status, it?.status]).toEqual([503, 'error', 'down']);
    expect([it?.down, it?.degraded]).toEqual([['breakers.payments'], ['breakers.banner']]);
    expect(it?.breakers.payments).toMatchObject({ status: 'down', state: 'OPEN', critical: true });
  });

  it('does not call an operation critical that nobody called so', async () => {
    const app = await open();
    await app.shop.search();
    app.breaker('unused').forceOpen();
    const { code, it } = await app.probe('ready');
    expect([code, it?.status]).toEqual([200, 'degraded']);
    expect(it?.breakers.search).toMatchObject({
      status: 'degraded',
      operations: ['Shop.search', 'Shop.suggest'],
    });
    expect(it?.breakers.search).not.toHaveProperty('critical');
    expect(it?.breakers.unused).toMatchObject({ status: 'degraded', operations: [] });
  });

  it('comes back when it is time for a probe, so that calls come that close the breaker', async () => {
    const app = await open();
    fakeClock();
    await app.shop.pay();
    expect((await app.probe('ready')).it?.breakers.payments).toMatchObject({
      status: 'down',
      retryAfterMs: OPEN_MS,
    });
    jest.advanceTimersByTime(OPEN_MS - 1);
    expect((await app.probe('ready')).code).toBe(503);
    jest.advanceTimersByTime(1);
    const { code, it } = await app.probe('ready');
    expect([code, it?.status]).toEqual([200, 'degraded']);
    expect(it?.breakers.payments).toMatchObject({ state: 'OPEN', retryAfterMs: 0 });

    app.shop.down = false;
    expect((await app.get('pay')).text).toBe('fine');
    const halfOpen = await app.probe('ready');
    expect([halfOpen.code, halfOpen.status]).toEqual([200, 'degraded']);
    expect(halfOpen.it?.breakers.payments).toMatchObject({ state: 'HALF_OPEN', critical: true });
    await app.get('pay');
    const closed = await app.probe('ready');
    expect([closed.code, closed.status, closed.it?.degraded]).toEqual([200, 'ok', undefined]);
  });

  it('takes a breaker that was forced open for open, until somebody resets it', async () => {
    const app = await open();
    fakeClock();
    app.breaker('payments').forceOpen();
    jest.advanceTimersByTime(10 * OPEN_MS);
    expect((await app.probe('health')).it?.breakers.payments).toMatchObject({
      status: 'degraded',
      state: CircuitState.FORCED_OPEN,
    });
    expect((await app.probe('ready')).code).toBe(503);
    app.breaker('payments').reset();
    expect((await app.probe('ready')).status).toBe('ok');
  });

  it('is up with a disabled breaker, which lets everything through', async () => {
    const app = await open();
    app.breaker('payments').disable();
    const { code, status, it } = await app.probe('ready');
    expect([code, status]).toEqual([200, 'ok']);
    expect(it?.breakers.payments).toEqual({ status: 'up', state: 'DISABLED' });
  });

  it('is degraded and never down by a full bulkhead, and up while its queue has room', async () => {
    const app = await open();
    const reports = [app.shop.report(), app.shop.report()];
    const busy = await app.probe('ready');
    expect(busy.it?.bulkheads.reports).toMatchObject({ status: 'up', running: 2, queued: 0 });
    reports.push(app.shop.report());
    const { code, status, it } = await app.probe('ready');
    expect([code, status, it?.degraded]).toEqual([200, 'degraded', ['bulkheads.reports']]);
    expect(it?.bulkheads.reports).toEqual({
      status: 'degraded',
      running: 2,
      queued: 1,
      maxConcurrent: 2,
      queueLimit: 1,
      critical: true,
      operations: ['Shop.report'],
    });
    app.shop.report$.resolve('done');
    await Promise.all(reports);
    expect((await app.probe('ready')).status).toBe('ok');
  });

  it('knows breakers and bulkheads that were made after the boot', async () => {
    const app = await open();
    const pipeline = app.app
      .get(ResilienceService)
      .pipeline({ name: 'late', critical: true, circuitBreaker: { failureThreshold: 1 } });
    await pipeline.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const { it } = await app.probe('ready');
    expect(it?.down).toEqual(['breakers.late']);
  });

  it('says of options what is wrong with them', async () => {
    const indicator = (await open()).app.get(ResilienceHealthIndicator);
    const wrong = (options: object) => indicator.isHealthy('it', options as never);
    await expect(wrong({ downOnCritical: 'yes' })).rejects.toThrow(ResilienceConfigurationError);
    await expect(wrong({ downOnCritical: 'yes' })).rejects.toThrow(
      'downOnCritical: is "yes"; allowed: true or false',
    );
    await expect(wrong({ downOnCritcal: true })).rejects.toThrow(
      'downOnCritcal: there is no such option; known: downOnCritical',
    );
  });
});

describe('ResilienceHealthIndicator and chaos', () => {
  it('tells which faults are injected, for as long as any is', async () => {
    const { app } = await boot(
      { imports: [TerminusModule], providers: [Shop, ResilienceHealthIndicator] },
      { breakers: { payments: {}, banner: {}, search: {} }, bulkheads: { reports: {} }, chaos: {} },
    );
    const indicator = app.get(ResilienceHealthIndicator);
    expect((await indicator.isHealthy('it')).it).not.toHaveProperty('chaos');
    app.get(Chaos).add({ operations: 'Shop.*', rate: 0.1, error: true });
    expect((await indicator.isHealthy('it')).it).toMatchObject({
      status: 'up',
      chaos: [{ id: 'chaos-1', operations: 'Shop.*', rate: 0.1, effect: 'error', injected: 0 }],
    });
    app.get(Chaos).stopAll();
    expect((await indicator.isHealthy('it')).it).not.toHaveProperty('chaos');
  });
});

describe('ResilienceHealthIndicator of one of many instances', () => {
  it('tells whether the others are reached, and is up without them', async () => {
    const hub = new MemoryFleet();
    const { app } = await boot(
      { imports: [TerminusModule], providers: [Shop, ResilienceHealthIndicator] },
      {
        breakers: { payments: {}, banner: {}, search: {} },
        bulkheads: { reports: {} },
        fleet: hub.fleet(),
      },
    );
    const indicator = app.get(ResilienceHealthIndicator);
    expect((await indicator.isHealthy('it')).it).toMatchObject({ status: 'up', fleet: 'up' });
    hub.links[0]?.cut();
    expect((await indicator.isHealthy('it')).it).toMatchObject({ status: 'up', fleet: 'down' });
  });
});

describe('ResilienceHealthIndicator with terminus 11, which leaves out what is degraded', () => {
  it('is up, with a list of what is degraded', async () => {
    const { app, shop } = await open();
    await shop.banner();
    const of = (key: string) => ({
      up: (data: object) => ({ [key]: { ...data, status: 'up' } }),
      down: (data: object) => ({ [key]: { ...data, status: 'down' } }),
    });
    const indicator = new ResilienceHealthIndicator(
      { check: of } as unknown as HealthIndicatorService,
      app.get(ResilienceService),
    );
    expect((await indicator.isHealthy('it')).it).toMatchObject({
      status: 'up',
      degraded: ['breakers.banner'],
      breakers: { banner: { status: 'degraded' } },
    });
    await shop.pay();
    const down = await indicator.isHealthy('it', { downOnCritical: true });
    expect(down.it).toMatchObject({ status: 'down', down: ['breakers.payments'] });
  });
});
