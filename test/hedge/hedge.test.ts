import { describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, Post, Res } from '@nestjs/common';
import { Observable, of } from 'rxjs';
import {
  currentSignal,
  Hedge,
  type HedgeOptions,
  type ResilienceEvent,
  ResilienceService,
  type ServiceOptions,
} from '../../lib/index.js';
import { booting, Deferred, elapse, flush, watch } from '../support/resilience-app.js';

const boot = booting();

/** Attempts that end when the test says so. */
class Attempts {
  readonly made: Deferred[] = [];
  readonly signals: AbortSignal[] = [];

  readonly work = () => {
    const attempt = new Deferred();
    this.made.push(attempt);
    this.signals.push(currentSignal());
    return attempt.promise;
  };

  get count(): number {
    return this.made.length;
  }
}

async function hedging(options: ServiceOptions & { hedge: HedgeOptions }, module = {}) {
  const app = await boot(module);
  const attempts = new Attempts();
  const pipeline = app.pipeline({ name: 'read', ...options });
  return { app, attempts, call: () => watch(pipeline.execute(attempts.work)) };
}

describe('A hedged call', () => {
  it('that answers in time is made once', async () => {
    const { attempts, call } = await hedging({ hedge: { delayMs: 50 } });
    const result = call();
    await elapse(49);
    attempts.made[0]?.resolve('first');
    await flush();
    expect(jest.getTimerCount()).toBe(0);
    await elapse(1_000);
    expect(result.value).toBe('first');
    expect(attempts.count).toBe(1);
  });

  it('that is slow is made once more, and the first success wins', async () => {
    const { app, attempts, call } = await hedging({ hedge: { delayMs: 50 } });
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const result = call();
    await elapse(50);
    expect(attempts.count).toBe(2);
    attempts.made[1]?.resolve('second');
    await flush();
    expect(result.value).toBe('second');
    expect(events).toMatchObject([{ type: 'hedge', operation: 'read', number: 1, delayMs: 50 }]);
    expect(app.metrics.get('hedge.attempt', { operation: 'read' })).toBe(1);
    expect(app.metrics.get('hedge.won', { operation: 'read' })).toBe(1);
    expect(app.metrics.get('requests.total', { operation: 'read' })).toBe(1);
  });

  it('aborts the signals of the losers, and of nobody else', async () => {
    const { attempts, call } = await hedging({ hedge: { delayMs: 50, maxHedged: 2 } });
    const result = call();
    await elapse(100);
    attempts.made[1]?.resolve('second');
    await flush();
    expect(result.value).toBe('second');
    expect(attempts.signals.map(({ aborted }) => aborted)).toEqual([true, false, true]);
    expect(attempts.signals[0]?.reason).toMatchObject({
      name: 'AbortError',
      message: 'Another attempt was faster',
    });
  });

  it('is hedged no more than `maxHedged` times, each after another delay', async () => {
    const { attempts, call } = await hedging({ hedge: { delayMs: 50, maxHedged: 2 } });
    call();
    await elapse(99);
    expect(attempts.count).toBe(2);
    await elapse(1);
    expect(attempts.count).toBe(3);
    await elapse(10_000);
    expect(attempts.count).toBe(3);
  });

  it('fails when all that were made have failed, with the last error', async () => {
    const { attempts, call } = await hedging({ hedge: { delayMs: 50 } });
    const result = call();
    await elapse(50);
    attempts.made[0]?.reject(new Error('first'));
    await flush();
    expect(result.state).toBe('pending');
    attempts.made[1]?.reject(new Error('second'));
    await flush();
    expect((result.error as Error).message).toBe('second');
  });

  it('fails by what the first ran into, where the hedge that waited was not let in', async () => {
    const { attempts, call } = await hedging({
      hedge: { delayMs: 50 },
      circuitBreaker: { failureThreshold: 1 },
      bulkhead: { maxConcurrent: 1 },
    });
    const result = call();
    await elapse(50);
    attempts.made[0]?.reject(new Error('down')); // which opens the breaker
    await flush();
    expect(attempts.count).toBe(1);
    expect(result.error).toMatchObject({ message: 'down' });
  });

  it('fails by the rejection where no attempt of it was let in', async () => {
    const { app, attempts, call } = await hedging({ hedge: { delayMs: 50 }, circuitBreaker: {} });
    app.breakers.get('read').forceOpen();
    const result = call();
    await elapse(100);
    expect(result.error).toMatchObject({ code: 'CIRCUIT_OPEN' });
    expect(attempts.count).toBe(0);
  });

  it('is not hedged, and leaves no timer, where the application closes before', async () => {
    const { app, attempts, call } = await hedging({ hedge: { delayMs: 50 } });
    const result = call();
    expect(jest.getTimerCount()).toBe(1);
    app.pipeline({}).plan.shutdown.begin(0);
    expect(jest.getTimerCount()).toBe(0);
    await elapse(100);
    expect(attempts.count).toBe(1);
    attempts.made[0]?.resolve('first');
    await flush();
    expect(result.value).toBe('first');
  });

  it('that fails before the delay is left to the retry', async () => {
    const { attempts, call } = await hedging({
      hedge: { delayMs: 50 },
      retry: { maxAttempts: 2, baseDelayMs: 0, jitter: 'none' },
    });
    const result = call();
    attempts.made[0]?.reject(new Error('at once'));
    await elapse(0);
    expect(attempts.count).toBe(2);
    await elapse(50);
    expect(attempts.count).toBe(3); // the retry is hedged too
    attempts.made[2]?.resolve('third');
    await flush();
    expect(result.value).toBe('third');
  });

  it('counts once for each attempt in the breaker, and not for a loser', async () => {
    const { app, attempts, call } = await hedging({
      hedge: { delayMs: 50 },
      circuitBreaker: { failureThreshold: 10 },
    });
    call();
    await elapse(50);
    attempts.made[0]?.reject(new Error('down'));
    attempts.made[1]?.resolve('up');
    await flush();
    expect(app.breakers.get('read').getSnapshot()).toMatchObject({ calls: 2, failures: 1 });
    call();
    await elapse(50);
    attempts.made[3]?.resolve('up');
    await flush();
    expect(app.breakers.get('read').getSnapshot()).toMatchObject({ calls: 3, failures: 1 });
  });

  it('gives the loser’s slot back when its work has really ended', async () => {
    const { app, attempts, call } = await hedging({
      hedge: { delayMs: 50 },
      bulkhead: { maxConcurrent: 5 },
    });
    call();
    await elapse(50);
    attempts.made[1]?.resolve('up');
    await flush();
    expect(app.bulkheads.get('read').getSnapshot().running).toBe(1);
    attempts.made[0]?.reject(new Error('aborted'));
    await flush();
    expect(app.bulkheads.get('read').getSnapshot().running).toBe(0);
  });

  it('is not hedged where the retry budget is spent', async () => {
    const { attempts, call } = await hedging(
      { hedge: { delayMs: 50 }, upstream: 'stock' },
      { retryBudgets: { stock: { ratio: 0, minRetriesPerSecond: 0 } } },
    );
    const result = call();
    await elapse(1_000);
    expect(attempts.count).toBe(1);
    attempts.made[0]?.resolve('late');
    await flush();
    expect(result.value).toBe('late');
  });

  it('is hedged without a bound where the defaults say that there is no budget', async () => {
    const { attempts, call } = await hedging(
      { hedge: { delayMs: 50, maxHedged: 100 } },
      { defaults: { retry: { budget: false } } },
    );
    call();
    await elapse(5_000);
    expect(attempts.count).toBe(101);
  });

  it('is hedged after the percentile of the latest answers, once there are ten of them', async () => {
    const { attempts, call } = await hedging({ hedge: { afterPercentile: 90 } });
    for (let ms = 10; ms <= 100; ms += 10) {
      call();
      await elapse(ms);
      attempts.made.at(-1)?.resolve('up');
      await flush();
    }
    expect(attempts.count).toBe(10);
    call();
    await elapse(89);
    expect(attempts.count).toBe(11);
    await elapse(1);
    expect(attempts.count).toBe(12);
  });

  it('ends when its caller gives up, with all its attempts', async () => {
    const app = await boot();
    const attempts = new Attempts();
    const caller = new AbortController();
    const pipeline = app.pipeline({ name: 'read', hedge: { delayMs: 50 } });
    const result = watch(pipeline.execute(attempts.work, { signal: caller.signal }));
    await elapse(50);
    caller.abort(new Error('gone'));
    await flush();
    expect((result.error as Error).message).toBe('gone');
    expect(attempts.signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it('is not hedged when one who hears of the hedge gives up', async () => {
    const app = await boot();
    const attempts = new Attempts();
    const caller = new AbortController();
    app.events.events$.subscribe(({ type }) => type === 'hedge' && caller.abort());
    const pipeline = app.pipeline({ name: 'read', hedge: { delayMs: 50 } });
    const result = watch(pipeline.execute(attempts.work, { signal: caller.signal }));
    await elapse(50);
    expect(result.state).toBe('rejected');
    expect(attempts.count).toBe(1);
  });

  it('times out attempt by attempt', async () => {
    const { attempts, call } = await hedging({ hedge: { delayMs: 50 }, timeoutMs: 100 });
    const result = call();
    await elapse(149);
    expect(attempts.signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(result.state).toBe('pending');
    await elapse(1);
    expect((result.error as Error).name).toBe('TimeoutError');
  });
});

describe('@Hedge()', () => {
  it('is for methods that return a promise', async () => {
    const attempts = new Attempts();
    @Injectable()
    class Service {
      @Hedge(50)
      async read(): Promise<unknown> {
        return attempts.work();
      }
    }
    const app = await boot({}, [Service]);
    void app.module.get(Service).read();
    await elapse(50);
    expect(attempts.count).toBe(2);
    expect(app.module.get(ResilienceService).describe()[0]?.stages.hedge).toEqual({
      delayMs: 50,
      maxHedged: 1,
    });
  });

  it('on a method replaces the delay of its class by its own, and keeps it where it says none', async () => {
    @Hedge({ delayMs: 50, maxHedged: 2 })
    @Injectable()
    class Fixed {
      @Hedge({ afterPercentile: 95 })
      async measured(): Promise<void> {}
      @Hedge({ maxHedged: 3 })
      async more(): Promise<void> {}
    }
    @Hedge({ afterPercentile: 95, maxHedged: 2 })
    @Injectable()
    class Measured {
      @Hedge(50)
      async fixed(): Promise<void> {}
      @Hedge({ maxHedged: 3 })
      async more(): Promise<void> {}
    }
    const app = await boot({}, [Fixed, Measured]);
    const hedges = app.module.get(ResilienceService).describe();
    expect(hedges.map(({ operation, stages }) => [operation, stages.hedge])).toEqual([
      ['Fixed.measured', { afterPercentile: 95, maxHedged: 2 }],
      ['Fixed.more', { delayMs: 50, maxHedged: 3 }],
      ['Measured.fixed', { delayMs: 50, maxHedged: 2 }],
      ['Measured.more', { afterPercentile: 95, maxHedged: 3 }],
    ]);
  });

  it('fails the boot on a stream, without a delay, with two, and with nonsense', async () => {
    const refused = async (decorator: MethodDecorator) => {
      class Service {
        async read(): Promise<void> {}
      }
      const place = Object.getOwnPropertyDescriptor(Service.prototype, 'read') ?? {};
      decorator(Service.prototype, 'read', place);
      Object.defineProperty(Service.prototype, 'read', place);
      Injectable()(Service);
      return boot({}, [Service]).then(
        () => 'booted',
        (error: Error) => error.message,
      );
    };
    const hedge = (options: unknown) => Hedge(options as HedgeOptions) as MethodDecorator;
    expect(await refused(hedge({}))).toMatch('Service.read @Hedge(): has neither delayMs nor');
    expect(await refused(hedge({ delayMs: 1, afterPercentile: 9 }))).toMatch('has both delayMs');
    expect(await refused(hedge({ delayMs: -1 }))).toMatch('@Hedge().delayMs: is -1');
    expect(await refused(hedge({ afterPercentile: 101 }))).toMatch('afterPercentile: is 101');
    expect(await refused(hedge({ delayMs: 1, maxHedged: 0 }))).toMatch('maxHedged: is 0');
    expect(await refused(hedge(-1))).toMatch('@Hedge() (delayMs): is -1');

    @Injectable()
    class Streaming {
      @Hedge(50)
      read(): Observable<number> {
        return of(1);
      }
    }
    await expect(boot({}, [Streaming])).rejects.toThrow('returns a stream');
  });

  it('is inactive on a handler that may do harm twice, or sends its response itself', async () => {
    @Controller()
    class Shop {
      @Get()
      @Hedge(50)
      async read(): Promise<void> {}
      @Post()
      @Hedge(50)
      async write(): Promise<void> {}
      @Get('sent')
      @Hedge(50)
      async send(@Res() response: { end(): void }): Promise<void> {
        response.end();
      }
    }
    const app = await boot({}, [Shop]);
    const stages = app.module
      .get(ResilienceService)
      .describe()
      .map((operation) => [operation.operation, operation.stages.hedge !== undefined]);
    expect(stages).toEqual([
      ['Shop.read', true],
      ['Shop.write', false],
      ['Shop.send', false],
    ]);
  });
});
