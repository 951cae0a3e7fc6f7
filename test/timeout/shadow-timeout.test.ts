import { describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { firstValueFrom, Observable } from 'rxjs';
import {
  currentSignal,
  outboundHeaders,
  ResilienceConfigurationError,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  type ServiceOptions,
  Timeout,
} from '../../lib/index.js';
import { booting, Deferred, elapse, watch } from '../support/resilience-app.js';

const SHADOW = { defaults: { mode: 'shadow' } } as const;

let slowMs = 300;
let signal: AbortSignal | undefined;
let headers: Record<string, string> = {};

const later = <T>(value: T) =>
  new Promise<T>((resolve) => {
    setTimeout(() => resolve(value), slowMs);
  });

@Injectable()
class Partner {
  @Timeout({ attemptMs: 100, mode: 'shadow' })
  async charge(): Promise<string> {
    signal = currentSignal();
    headers = outboundHeaders() as Record<string, string>;
    return later('charged');
  }

  @Timeout({ attemptMs: 100, mode: 'shadow' })
  watch(): Observable<string> {
    return new Observable((subscriber) => {
      void later('watched').then((value) => {
        subscriber.next(value);
        subscriber.complete();
      });
    });
  }

  @Timeout({ attemptMs: 100, mode: 'shadow' })
  async *list(): AsyncGenerator<string> {
    yield await later('listed');
  }

  @Timeout({ totalMs: 250, mode: 'shadow' })
  @Retry({ maxAttempts: 3, delayMs: [100], retryableErrors: () => true })
  async insist(): Promise<string> {
    headers = outboundHeaders() as Record<string, string>;
    slowMs -= 100;
    await later('');
    if (slowMs > 50) throw new Error('down');
    return 'insisted';
  }

  @Timeout(500)
  async enforced(): Promise<string> {
    return this.charge();
  }
}

describe('A timeout in shadow mode', () => {
  const boot = booting();

  async function start(options: ResilienceModuleOptions = {}) {
    slowMs = 300;
    const app = await boot(options, [Partner]);
    const told: object[] = [];
    app.events.events$.subscribe(({ timestamp: _, ...event }) => void told.push(event));
    return { app, told, partner: app.module.get(Partner) };
  }

  async function pipeline(options: ServiceOptions, module: ResilienceModuleOptions = SHADOW) {
    const { app, told } = await start(module);
    return { app, told, pipeline: app.pipeline({ name: 'stock', ...options }) };
  }

  it.each([
    ['a promise', 'charge', 'charged', (partner: Partner) => partner.charge()],
    ['an Observable', 'watch', 'watched', (partner: Partner) => firstValueFrom(partner.watch())],
    [
      'an async generator',
      'list',
      'listed',
      async (partner: Partner) => (await partner.list().next()).value as string,
    ],
  ])(
    'tells when the time of %s is up, which goes on and answers',
    async (_, method, answer, run) => {
      const { app, told, partner } = await start();
      const call = watch(run(partner));
      await elapse(99);
      expect(told).toEqual([]);
      await elapse(1);
      expect(told).toEqual([
        { type: 'would-time-out', operation: `Partner.${method}`, timeoutMs: 100 },
      ]);
      expect(call.state).toBe('pending');
      await elapse(200);
      expect(call.value).toBe(answer);
      expect(app.metrics.get('shadow.timeout', { operation: `Partner.${method}` })).toBe(1);
      expect(app.metrics.get('timeout.total')).toBe(0);
      expect(told).toHaveLength(1);
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('is no deadline for what is called inside, but that of others around it is', async () => {
    const { told, partner } = await start();
    const alone = watch(partner.charge());
    expect(headers).not.toHaveProperty('x-request-timeout-ms');
    await elapse(300);
    expect(signal?.aborted ?? false).toBe(false);
    expect(alone.value).toBe('charged');
    const inside = watch(partner.enforced());
    expect(headers).toHaveProperty('x-request-timeout-ms', '500');
    await elapse(300);
    expect(inside.value).toBe('charged');
    slowMs = 1_000;
    const cut = watch(partner.enforced());
    await elapse(500);
    expect(cut.error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 500 });
    expect(signal?.aborted).toBe(true);
    expect(told).toContainEqual({ type: 'timeout', operation: 'Partner.enforced', timeoutMs: 500 });
    await elapse(500);
  });

  it('of a whole call leaves its attempts and waits to it', async () => {
    const { app, told, partner } = await start();
    const call = watch(partner.insist()); // attempts of 200, 100 and 0 ms, and waits of 100 between them
    expect(headers).not.toHaveProperty('x-request-timeout-ms');
    await elapse(250);
    expect(told.at(-1)).toEqual({
      type: 'would-time-out',
      operation: 'Partner.insist',
      timeoutMs: 250,
    });
    await elapse(300);
    expect(call.value).toBe('insisted');
    expect(app.metrics.get('shadow.timeout', { operation: 'Partner.insist' })).toBe(1);
    expect(app.metrics.get('total_timeout.total')).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('says nothing of what ends in time, or fails, or is given up', async () => {
    const { told, pipeline: stock } = await pipeline({ timeoutMs: 100, totalTimeoutMs: 200 });
    await stock.execute(async () => 'up');
    await stock.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const caller = new AbortController();
    const call = watch(
      stock.execute(() => new Deferred<void>().promise, { signal: caller.signal }),
    );
    caller.abort();
    await elapse(1_000);
    expect(call.state).toBe('rejected');
    expect(told.filter((event) => (event as { type: string }).type === 'would-time-out')).toEqual(
      [],
    );
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is what the defaults say of bundles and pipelines, and what a decorator says beside a bundle', async () => {
    const { app, told, pipeline: stock } = await pipeline({ timeoutMs: 100, totalTimeoutMs: 200 });
    const call = watch(stock.execute(() => later('stocked')));
    await elapse(300);
    expect(call.value).toBe('stocked');
    expect(told).toEqual([
      { type: 'would-time-out', operation: 'stock', timeoutMs: 100 },
      { type: 'would-time-out', operation: 'stock', timeoutMs: 200 },
    ]);
    const described = app.module.get(ResilienceService).describe();
    expect(described.find(({ operation }) => operation === 'Partner.charge')?.stages).toEqual({
      timeout: { timeoutMs: 100, mode: 'shadow' },
    });
  });

  it('is switched while the application runs, for the calls that begin from then on', async () => {
    const { app, told, partner } = await start();
    const before = watch(partner.charge());
    const resilience = app.module.get(ResilienceService);
    resilience.reconfigure({ operations: { 'Partner.charge': { timeout: { mode: 'enforce' } } } });
    const after = watch(partner.charge());
    await elapse(300);
    expect(before.value).toBe('charged');
    expect(after.error).toMatchObject({ code: 'TIMEOUT', timeoutMs: 100 });
    resilience.reconfigure({ mode: 'shadow' });
    const enforced = watch(partner.enforced());
    await elapse(300);
    expect(enforced.state).toBe('rejected'); // the most particular wins: that of `charge` is enforced still
    expect(told.map((event) => (event as { type: string }).type)).toContain('would-time-out');
  });

  it('is refused as another mode, and where there is no time', async () => {
    class Wrong {
      @Timeout({ attemptMs: 5, mode: 'dry' as never })
      async run(): Promise<void> {}
    }
    class Timeless {
      @Timeout({ mode: 'shadow' })
      async run(): Promise<void> {}
    }
    for (const [type, message] of [
      [Wrong, /mode: is "dry"; allowed: 'enforce' \| 'shadow'/],
      [Timeless, /is given nothing/],
    ] as const) {
      const error = await boot({}, [type]).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ResilienceConfigurationError);
      expect(String(error)).toMatch(message);
    }
  });
});
