import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { Observable } from 'rxjs';
import {
  currentSignal,
  Fallback,
  outboundHeaders,
  ResilienceConfigurationError,
  type ResilienceEvent,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  type ServiceOptions,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { bootBare, closeAll } from '../binding/support.js';
import {
  booting,
  Deferred,
  elapse,
  failure,
  flush,
  never,
  watch,
} from '../support/resilience-app.js';

const AT_ONCE = { maxAttempts: 5, baseDelayMs: 0, jitter: 'none' } as const;
const EACH_100 = { maxAttempts: 5, baseDelayMs: 100, factor: 1, jitter: 'none' } as const;

describe('The total time of a call', () => {
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0); // no call leaves a timer behind
  });
  const boot = booting();

  const pipeline = async (options: ServiceOptions, module: ResilienceModuleOptions = {}) =>
    (await boot(module)).pipeline(options);

  describe('ends', () => {
    it('a running attempt at its end, with a TimeoutError that says so, and not a millisecond before', async () => {
      const limited = await pipeline({ totalTimeoutMs: 250, timeoutMs: 100, retry: AT_ONCE });
      const signals: AbortSignal[] = [];
      const call = watch(
        limited.execute(({ signal }) => {
          signals.push(signal);
          return never();
        }),
      );
      await elapse(249);
      expect(call.state).toBe('pending');
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
      await elapse(1);
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(call.error).toMatchObject({
        timeoutMs: 250,
        operation: 'pipeline',
        total: true,
        byClient: false,
        message: 'Operation timed out after 250 ms in total',
      });
      expect(signals).toHaveLength(3);
      expect(signals[2]?.reason).toBe(call.error);
    });

    it('each attempt at its own time before, with an error that says that it was no total', async () => {
      const limited = await pipeline({ totalTimeoutMs: 500, timeoutMs: 100 });
      const call = watch(limited.execute(never));
      await elapse(100);
      expect(call.error).toMatchObject({ timeoutMs: 100, total: false });
    });

    it('a call without an attempt timeout too', async () => {
      const limited = await pipeline({ totalTimeoutMs: 50 });
      const call = watch(limited.execute(never));
      await elapse(50);
      expect(call.error).toMatchObject({ timeoutMs: 50, total: true });
    });

    it('no call that answers in time, whatever its attempts come to', async () => {
      const limited = await pipeline({ totalTimeoutMs: 500, retry: EACH_100 });
      let attempts = 0;
      const call = watch(
        limited.execute(async () => {
          attempts++;
          if (attempts < 3) throw new Error('not yet');
          return 'answer';
        }),
      );
      await elapse(200);
      expect(call.value).toBe('answer');
    });

    it('a wait for another attempt that could not begin in time at once, with the error of the attempt before', async () => {
      const limited = await pipeline({ totalTimeoutMs: 250, retry: EACH_100 });
      const error = new Error('down');
      let attempts = 0;
      const call = watch(
        limited.execute(async () => {
          attempts++;
          throw error;
        }),
      );
      await elapse(200);
      expect(call.error).toBe(error);
      expect(attempts).toBe(3);
    });

    it('a wait in a queue', async () => {
      const app = await boot({ bulkheads: { one: { maxConcurrent: 1, queueLimit: 5 } } });
      const first = new Deferred<string>();
      const holding = watch(app.pipeline({ bulkhead: 'one' }).execute(() => first.promise));
      const called = jest.fn(never);
      const call = watch(
        app.pipeline({ name: 'waiting', bulkhead: 'one', totalTimeoutMs: 80 }).execute(called),
      );
      await elapse(80);
      expect(call.error).toMatchObject({ total: true, timeoutMs: 80 });
      expect(called).not.toHaveBeenCalled();
      expect(app.bulkheads.get('one').getSnapshot()).toMatchObject({ queued: 0 });
      first.resolve('done');
      await flush();
      expect(holding.value).toBe('done');
    });

    it('attempts that are hedged, all of them', async () => {
      const limited = await pipeline({ totalTimeoutMs: 100, hedge: { delayMs: 20, maxHedged: 2 } });
      const signals: AbortSignal[] = [];
      const call = watch(
        limited.execute(({ signal }) => {
          signals.push(signal);
          return never();
        }),
      );
      await elapse(100);
      expect(call.error).toMatchObject({ total: true });
      expect(signals).toHaveLength(3);
      for (const signal of signals) expect(signal.reason).toBe(call.error);
    });

    it('no further attempt where the process is blocked beyond the end, so that its timer is late', async () => {
      const limited = await pipeline({
        totalTimeoutMs: 50,
        retry: { ...EACH_100, baseDelayMs: 20 },
      });
      jest.useRealTimers();
      let attempts = 0;
      const refused = await failure(
        limited.execute(async () => {
          attempts++;
          setTimeout(() => {
            const until = performance.now() + 100;
            while (performance.now() < until);
          }, 1);
          throw new Error('down');
        }),
      );
      jest.useFakeTimers();
      expect(refused).toMatchObject({ total: true, timeoutMs: 50 });
      expect(attempts).toBe(1);
    });
  });

  describe('stands between fallback and retry:', () => {
    it('a fallback answers a call whose total has run out, in its own time', async () => {
      @Injectable()
      class Quotes {
        seen: unknown;

        @Timeout({ attemptMs: 60, totalMs: 100 })
        @Retry(AT_ONCE)
        @Fallback('last')
        async quote(_symbol: string): Promise<string> {
          return never();
        }

        async last(symbol: string, error: unknown): Promise<string> {
          this.seen = error;
          await new Promise((resolve) => setTimeout(resolve, 500));
          return `last ${symbol}`;
        }
      }
      const app = await boot({}, [Quotes]);
      const quotes = app.module.get(Quotes);
      const call = watch(quotes.quote('A'));
      await elapse(599);
      expect(call.state).toBe('pending');
      await elapse(1);
      expect(call.value).toBe('last A');
      expect(quotes.seen).toMatchObject({ total: true, operation: 'Quotes.quote' });
    });

    it('a fallback begins with no deadline but that of the caller', async () => {
      const app = await boot();
      let headers: Record<string, string> = {};
      const inner = app.pipeline({
        name: 'inner',
        totalTimeoutMs: 100,
        fallback: () => {
          headers = outboundHeaders();
          return 'fallback';
        },
      });
      const outer = app.pipeline({ name: 'outer', timeoutMs: 1_000 });
      const call = watch(outer.execute(() => inner.execute(never)));
      await elapse(100);
      expect(call.value).toBe('fallback');
      expect(headers['x-request-timeout-ms']).toBe('900');
    });

    it('a fallback of attempts that failed in time is not cut at the total', async () => {
      const limited = await pipeline({
        totalTimeoutMs: 100,
        fallback: () => new Promise((resolve) => setTimeout(resolve, 300, 'fallback')),
      });
      const call = watch(limited.execute(() => Promise.reject(new Error('down'))));
      await elapse(299);
      expect(call.state).toBe('pending');
      await elapse(1);
      expect(call.value).toBe('fallback');
    });

    it('@Critical(false) answers null', async () => {
      const limited = await pipeline({ totalTimeoutMs: 100, critical: false });
      const call = watch(limited.execute(never));
      await elapse(100);
      expect(call.value).toBeNull();
    });
  });

  describe('is the deadline of what its attempts call,', () => {
    it('where it is the nearest', async () => {
      const limited = await pipeline({ totalTimeoutMs: 250, timeoutMs: 200, retry: EACH_100 });
      const left: (string | undefined)[] = [];
      const call = watch(
        limited.execute(async () => {
          left.push(outboundHeaders()['x-request-timeout-ms']);
          throw new Error('down');
        }),
      );
      await elapse(200);
      expect(left).toEqual(['200', '150', '50']);
      expect(call.state).toBe('rejected');
    });

    it('and not where the caller has less time', async () => {
      const app = await boot();
      const inner = app.pipeline({ name: 'inner', totalTimeoutMs: 500, fallback: () => 'unasked' });
      const outer = app.pipeline({ name: 'outer', timeoutMs: 100 });
      const call = watch(outer.execute(() => inner.execute(never)));
      await elapse(100);
      expect(call.error).toMatchObject({ timeoutMs: 100, operation: 'outer', total: false });
    });

    it('and holds no more once a call has answered', async () => {
      const app = await boot();
      let signal: AbortSignal | undefined;
      const limited = app.pipeline({ totalTimeoutMs: 100 });
      await limited.execute(async () => {
        signal = currentSignal();
      });
      await elapse(200);
      expect(signal?.aborted).toBe(false);
    });
  });

  it('counts for a breaker as any timeout: the attempt that it cuts is a failure', async () => {
    const app = await boot({ breakers: { payments: { failureThreshold: 2 } } });
    const limited = app.pipeline({ circuitBreaker: 'payments', totalTimeoutMs: 100 });
    const call = watch(limited.execute(never));
    await elapse(100);
    expect(call.state).toBe('rejected');
    expect(app.breakers.get('payments').getSnapshot()).toMatchObject({ failures: 1 });
  });

  describe('holds for', () => {
    it('an Observable until its first value, and not for the stream after', async () => {
      @Injectable()
      class Prices {
        beginsAfterMs = 200;

        @Timeout({ totalMs: 100 })
        prices(): Observable<number> {
          return new Observable((subscriber) => {
            const first = setTimeout(() => subscriber.next(1), this.beginsAfterMs);
            const second = setTimeout(() => subscriber.complete(), 1_000);
            return () => {
              clearTimeout(first);
              clearTimeout(second);
            };
          });
        }
      }
      const app = await boot({}, [Prices]);
      const prices = app.module.get(Prices);
      let error: unknown;
      prices.prices().subscribe({ error: (thrown) => (error = thrown) });
      await elapse(100);
      expect(error).toMatchObject({ total: true });
      prices.beginsAfterMs = 50;
      const values: unknown[] = [];
      prices
        .prices()
        .subscribe({ next: (value) => values.push(value), complete: () => values.push('end') });
      await elapse(1_000);
      expect(values).toEqual([1, 'end']);
    });

    it('an async generator until its first value', async () => {
      @Injectable()
      class Rows {
        ended = false;

        @Timeout({ totalMs: 100, attemptMs: 60 })
        @Retry(AT_ONCE)
        async *rows(beginsAfterMs: number): AsyncGenerator<number> {
          try {
            await new Promise((resolve) => setTimeout(resolve, beginsAfterMs));
            yield 1;
            await new Promise((resolve) => setTimeout(resolve, 500));
            yield 2;
          } finally {
            this.ended = true;
          }
        }
      }
      const app = await boot({}, [Rows]);
      const rows = app.module.get(Rows);
      const late = watch(rows.rows(80).next());
      await elapse(100);
      expect(late.error).toMatchObject({ total: true, timeoutMs: 100 });
      const values: number[] = [];
      const all = watch(
        (async () => {
          for await (const value of rows.rows(50)) values.push(value);
        })(),
      );
      await elapse(1_000);
      expect(all.state).toBe('fulfilled');
      expect(values).toEqual([1, 2]);
      expect(rows.ended).toBe(true);
    });

    it.each([
      ['request-scoped', Scope.REQUEST],
      ['transient', Scope.TRANSIENT],
    ])('%s providers', async (_name, scope) => {
      @Injectable({ scope })
      class Scoped {
        @Timeout({ totalMs: 70 })
        async hang(): Promise<void> {
          return never();
        }
      }
      const app = await boot({}, [Scoped]);
      const call = watch((await app.module.resolve(Scoped)).hang());
      await elapse(70);
      expect(call.error).toMatchObject({ total: true, operation: 'Scoped.hang' });
    });

    it('bundles', async () => {
      const app = await boot({ services: { partner: { totalTimeoutMs: 40 } } });
      const call = watch(app.module.get(ResilienceService).execute('partner', never));
      await elapse(40);
      expect(call.error).toMatchObject({ total: true, operation: 'partner' });
    });
  });

  it('tells itself from attempts in events and metrics, and is described', async () => {
    const app = await boot();
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const limited = app.pipeline({
      name: 'told',
      timeoutMs: 60,
      totalTimeoutMs: 100,
      retry: AT_ONCE,
    });
    const call = watch(limited.execute(never));
    await elapse(100);
    expect(call.state).toBe('rejected');
    expect(events.map(({ type }) => type)).toEqual(['timeout', 'retry', 'total-timeout']);
    expect(events[2]).toMatchObject({ operation: 'told', timeoutMs: 100 });
    expect(app.metrics.get('timeout.total', { operation: 'told' })).toBe(1);
    expect(app.metrics.get('total_timeout.total', { operation: 'told' })).toBe(1);
    const [description] = app.module.get(ResilienceService).describe();
    expect(description?.stages).toMatchObject({
      timeout: { timeoutMs: 60 },
      totalTimeout: { timeoutMs: 100 },
    });
  });
});

describe('The total time is said', () => {
  const boot = booting();
  const times = async (
    classSays: Parameters<typeof Timeout>[0] | 'nothing',
    methodSays: Parameters<typeof Timeout>[0] | 'nothing',
    options: ResilienceModuleOptions = {},
  ) => {
    class Client {
      async call(): Promise<void> {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(
      Client.prototype,
      'call',
    ) as TypedPropertyDescriptor<() => Promise<void>>;
    if (methodSays !== 'nothing') {
      Timeout(methodSays)(Client.prototype, 'call', descriptor);
      Object.defineProperty(Client.prototype, 'call', descriptor);
    }
    if (classSays !== 'nothing') Timeout(classSays)(Client);
    Injectable()(Client);
    const app = await boot(options, [Client]);
    const [described] = app.module.get(ResilienceService).describe();
    const { timeout, totalTimeout } = described?.stages ?? {};
    return [timeout?.timeoutMs, totalTimeout?.timeoutMs];
  };
  const timeouts = { payments: { client: 200, gateway: 500, service: 900 } };

  it('in ms', async () => {
    expect(await times('nothing', { attemptMs: 100, totalMs: 300 })).toEqual([100, 300]);
    expect(await times('nothing', { attemptMs: 100 })).toEqual([100, undefined]);
    expect(await times('nothing', { totalMs: 300 })).toEqual([undefined, 300]);
    expect(await times('nothing', { attemptMs: 300, totalMs: 300 })).toEqual([300, 300]);
  });

  it('by layers of a hierarchy', async () => {
    const layers = { attempt: 'payments.client', total: 'payments.gateway' } as const;
    expect(await times('nothing', layers, { timeouts })).toEqual([200, 500]);
    expect(
      await times('nothing', { attemptMs: 40, total: 'payments.service' }, { timeouts }),
    ).toEqual([40, 900]);
  });

  it('by the class, which the method overrides one by one', async () => {
    expect(await times({ attemptMs: 100, totalMs: 300 }, { totalMs: 400 })).toEqual([100, 400]);
    expect(await times({ attemptMs: 100, totalMs: 300 }, 150)).toEqual([150, 300]);
    expect(await times(100, { totalMs: 300 })).toEqual([100, 300]);
    expect(await times({ attempt: 'payments.client' }, { attemptMs: 30 }, { timeouts })).toEqual([
      30,
      undefined,
    ]);
  });

  it('with the default for attempts, where that is shorter', async () => {
    const defaults = { timeoutMs: 200 };
    expect(await times('nothing', { totalMs: 300 }, { defaults })).toEqual([200, 300]);
    expect(await times('nothing', { totalMs: 200 }, { defaults })).toEqual([undefined, 200]);
    expect(await times('nothing', undefined, { defaults })).toEqual([200, undefined]);
  });

  it.each<[string, Parameters<typeof Timeout>[0], string]>([
    [
      'an attempt longer than the total',
      { attemptMs: 400, totalMs: 300 },
      "Client.call @Timeout(): an attempt may take 400 ms, and the call with all of them 300 ms; allowed: an attempt's time of at most the total",
    ],
    [
      'a total that is none',
      { totalMs: Number.NaN },
      'Client.call @Timeout().totalMs: is NaN; allowed: a number of milliseconds',
    ],
    [
      'both ways at once',
      { total: 'payments.client', totalMs: 5 } as never,
      'Client.call @Timeout().total: is "payments.client", and totalMs is 5; allowed: one of them',
    ],
    [
      'an unknown layer',
      { total: 'payment.client' },
      'Client.call @Timeout(): there is no timeout "payment.client"',
    ],
    ['an unknown option', { totalMS: 5 } as never, 'totalMs'],
    [
      'no time',
      {},
      'Client.call @Timeout(): is {}, which says no time; allowed: a number of milliseconds above 0',
    ],
    ['null', null as never, 'Client.call @Timeout(): is null'],
  ])('but not as %s, which boot refuses', async (_name, says, message) => {
    const refused = await failure(times('nothing', says, { timeouts }));
    expect(refused).toBeInstanceOf(ResilienceConfigurationError);
    expect((refused as Error).message).toContain(message);
  });

  it('but not in a bundle with a longer attempt', async () => {
    const refused = await failure(
      boot({ services: { slow: { timeoutMs: 50, totalTimeoutMs: 20 } } }),
    );
    expect((refused as Error).message).toContain(
      'services.slow.timeoutMs: an attempt may take 50 ms',
    );
  });
});

describe('Attempts that do not fit into the total time', () => {
  afterEach(closeAll);

  const warningsOf = async (services: Record<string, ServiceOptions>) => {
    const { logger } = await bootBare({
      imports: [ResilienceModule.forRoot({ services, shutdown: { graceMs: 0 } })],
    });
    return logger.warnings();
  };

  it('are warned of, with the arithmetic', async () => {
    const retry = { maxAttempts: 3, baseDelayMs: 100, jitter: 'none' } as const;
    expect(await warningsOf({ tight: { retry, timeoutMs: 1_000, totalTimeoutMs: 2_500 } })).toBe(
      'tight: 3 attempts do not fit into the total timeout of 2500 ms where each takes its time: 3 × 1000 ms of attempts and at least 300 ms of waits are 3300 ms, and 2 would fit; allow fewer attempts, give each less time, or give the call more',
    );
  });

  it('also where only the waits are known', async () => {
    const retry = { maxAttempts: 4, baseDelayMs: 100, jitter: 'equal' } as const;
    expect(await warningsOf({ waits: { retry, totalTimeoutMs: 200 } })).toContain(
      'waits: 4 attempts do not fit into the total timeout of 200 ms where each takes its time: at least 350 ms of waits are 350 ms, and 3 would fit',
    );
  });

  it('and no others: neither those that just fit, nor those whose waits may be none', async () => {
    const retry = { maxAttempts: 3, baseDelayMs: 100, jitter: 'none' } as const;
    expect(
      await warningsOf({
        fits: { retry, timeoutMs: 1_000, totalTimeoutMs: 3_300 },
        random: { retry: { ...retry, jitter: 'full' }, timeoutMs: 1_000, totalTimeoutMs: 3_000 },
        spread: {
          retry: { ...retry, jitter: 'decorrelated' },
          timeoutMs: 1_000,
          totalTimeoutMs: 3_200,
        },
      }),
    ).toBe('');
  });
});
