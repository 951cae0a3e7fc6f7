import { jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { ContextIdFactory } from '@nestjs/core';
import {
  defer,
  firstValueFrom,
  from,
  lastValueFrom,
  Observable,
  of,
  throwError,
  toArray,
} from 'rxjs';
import {
  Bulkhead,
  Chaos,
  ChaosError,
  type ChaosOptions,
  type ChaosRule,
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerRegistry,
  currentSignal,
  Fallback,
  isChaos,
  ResilienceEvents,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  Timeout,
  TimeoutError,
  Upstream,
} from '../../lib/index.js';
import { boot, closeAll } from '../binding/support.js';
import { caught, HOSTILE_ERRORS } from '../support/hostile-errors.js';

afterEach(closeAll);

@Injectable()
class Payments {
  calls = 0;

  @Upstream('bank')
  @CircuitBreaker('payments')
  @Timeout(400)
  @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
  async charge(amount = 1): Promise<string> {
    this.calls++;
    return `charged ${amount}`;
  }

  @Retry({ maxAttempts: 3, baseDelayMs: 0 })
  @Fallback(() => 'queued')
  async refund(): Promise<string> {
    this.calls++;
    return 'refunded';
  }

  @Upstream('books')
  async history(): Promise<string> {
    this.calls++;
    return 'history';
  }

  @Timeout(400)
  prices(): Observable<number> {
    this.calls++;
    return of(1, 2);
  }

  @Timeout(400)
  async *pages(): AsyncGenerator<number> {
    this.calls++;
    yield 1;
    yield 2;
  }

  // Nobody tells what these return.
  @Timeout(400)
  promising() {
    return Promise.resolve('promised');
  }

  @Timeout(400)
  streaming() {
    return of('streamed');
  }
}

const OPTIONS: ResilienceModuleOptions = {
  breakers: { payments: { failureThreshold: 3 } },
  errorTracker: { log: false },
  alerts: { sendCritical: () => undefined },
};

async function start(chaos: ChaosOptions | undefined, options: ResilienceModuleOptions = {}) {
  const { app, logger } = await boot(
    { providers: [Payments] },
    { ...OPTIONS, ...options, ...(chaos && { chaos }) },
  );
  return { app, logger, payments: app.get(Payments), chaos: app.get(Chaos) };
}

const started = (...rules: ChaosRule[]) => start({ rules });

describe('A rule of chaos', () => {
  it('makes a method fail by a ChaosError, in the place of its work', async () => {
    const { payments } = await started({ operations: 'Payments.charge', error: true });
    const failed = payments.charge();
    await expect(failed).rejects.toThrow(ChaosError);
    await expect(failed).rejects.toMatchObject({
      name: 'ChaosError',
      code: 'CHAOS',
      operation: 'Payments.charge',
      rule: 'chaos-1',
      message: 'Injected into Payments.charge by the chaos rule "chaos-1"',
    });
    expect(payments.calls).toBe(0);
    expect(await payments.history()).toBe('history');
  });

  it('makes it fail by an error of the user’s, which is thrown as it is', async () => {
    const errors = [Object.freeze(new RangeError('frozen')), { no: 'error' }];
    const left = [...errors];
    const { payments } = await started({ operations: /history$/g, error: () => left.shift() });
    for (const error of errors) expect(await payments.history().catch((it) => it)).toBe(error);
  });

  it.each([
    ['a text', () => 'down'],
    ['nothing', () => undefined],
    ['a promise', () => Promise.reject(new Error('late'))],
  ])(
    'throws a ChaosError where its function returns %s, which cannot be marked',
    async (_, error) => {
      const { payments } = await started({ operations: 'Payments.*', error });
      await expect(payments.history()).rejects.toThrow(ChaosError);
    },
  );

  it('throws what its function throws', async () => {
    const error = () => {
      throw new RangeError('thrown');
    };
    const { payments } = await started({ operations: 'Payments.*', error });
    await expect(payments.history()).rejects.toThrow(new RangeError('thrown'));
  });

  it('answers by a result in the place of its work, which a function makes anew from the arguments', async () => {
    const { payments, chaos } = await started({ operations: 'Payments.history', result: 'empty' });
    chaos.add({ operations: '*.charge', result: async (amount: number) => `kept ${amount}` });
    expect(await payments.history()).toBe('empty');
    expect(await payments.charge(7)).toBe('kept 7');
    expect(payments.calls).toBe(0);
  });

  it.each(Object.entries(HOSTILE_ERRORS))('throws %s without a trip', async (_, error) => {
    const { payments } = await started({ operations: 'Payments.history', error });
    const made = await caught(payments.history());
    expect(isChaos(made.error)).toBe(true);
    expect(payments.calls).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new RangeError('no result');
      },
    ],
    [
      'rejects',
      async () => {
        throw new RangeError('no result');
      },
    ],
  ])('fails where its function for a result %s, which is chaos too', async (_, result) => {
    const { payments, chaos } = await started({ operations: 'Payments.*', result });
    for (const call of [
      payments.history(),
      lastValueFrom(payments.prices()),
      payments.pages().next(),
    ]) {
      const { error } = await caught(call);
      expect(error).toEqual(new RangeError('no result'));
      expect(isChaos(error)).toBe(true);
    }
    expect(chaos.list()).toMatchObject([{ injected: 3 }]);
  });

  it('fails where its result is a stream that fails, which is chaos too', async () => {
    const { payments, chaos } = await started();
    chaos.add({ operations: '*.prices', result: () => throwError(() => new RangeError('no')) });
    chaos.add({
      operations: '*.pages',
      async *result() {
        yield 1;
        throw new RangeError('no more');
      },
    });
    const prices = await caught(lastValueFrom(payments.prices()));
    expect(isChaos(prices.error)).toBe(true);
    const pages = payments.pages();
    expect(await pages.next()).toEqual({ value: 1, done: false });
    expect(isChaos((await caught(pages.next())).error)).toBe(true);
  });

  it('lets it hang until its timeout, and holds nothing of it afterwards', async () => {
    const { payments, chaos } = await started({ operations: 'Payments.charge', hang: true });
    await expect(payments.charge()).rejects.toThrow(TimeoutError);
    chaos.stopAll();
    expect(await payments.charge()).toBe('charged 1'); // its bulkhead has one slot
  });

  it.each<[string, (chaos: Chaos, id: string) => unknown]>([
    ['is removed', (chaos, id) => chaos.remove(id)],
    ['ends with all others', (chaos) => chaos.stopAll()],
  ])('lets what it holds up go on to its work when it %s', async (_, end) => {
    const { payments, chaos } = await started();
    for (const fault of [
      { hang: true },
      { latencyMs: 60_000 },
      { latencyMs: 60_000, error: true },
      { latencyMs: 60_000, result: 'made up' },
    ] as const) {
      const id = chaos.add({ operations: 'Payments.*', ...fault });
      const calls = [
        payments.history(),
        lastValueFrom(payments.prices()),
        payments.pages().next(),
      ] as const;
      await new Promise((resolve) => setImmediate(resolve));
      end(chaos, id);
      expect(await Promise.all(calls)).toEqual(['history', 2, { value: 1, done: false }]);
    }
  });

  it.each([
    ['forMs', () => ({ forMs: 5_000 })],
    ['until', () => ({ until: new Date(Date.now() + 5_000) })],
  ])('lets what it holds up go on to its work when its time by %s is over', async (_, end) => {
    const { payments, chaos } = await started();
    jest.useFakeTimers();
    try {
      for (const fault of [{ hang: true }, { latencyMs: 60_000 }] as const) {
        const id = chaos.add({ operations: 'Payments.history', ...fault, ...end() });
        const held = jest.fn();
        const call = payments.history().finally(held);
        await jest.advanceTimersByTimeAsync(4_999);
        expect(held).not.toHaveBeenCalled();
        await jest.advanceTimersByTimeAsync(1);
        expect(await call).toBe('history');
        expect(chaos.remove(id)).toBe(false);
        expect(jest.getTimerCount()).toBe(0);
      }
    } finally {
      jest.useRealTimers();
    }
  });

  it('lets what hangs fail when the application closes, rather than begin its work then', async () => {
    const { app, payments, chaos } = await started();
    chaos.add({ operations: 'Payments.*', hang: true });
    const calls = [
      payments.history(),
      lastValueFrom(payments.prices()),
      payments.pages().next(),
    ].map(caught);
    await app.close();
    for (const { error } of await Promise.all(calls)) {
      expect(error).toBeInstanceOf(ChaosError);
      expect(isChaos(error)).toBe(true);
    }
    await expect(payments.history()).rejects.toThrow(ChaosError);
    expect(payments.calls).toBe(0);
  });

  it('lets it hang without a timer, be its end none or in years', async () => {
    const { payments, chaos } = await started();
    jest.useFakeTimers();
    try {
      chaos.add({ id: 'ever', operations: 'Payments.history', hang: true });
      const calls = [payments.history()];
      chaos.remove('ever');
      chaos.add({
        operations: 'Payments.history',
        hang: true,
        until: new Date(Date.now() + 1e12),
      });
      const held = jest.fn();
      calls.push(payments.history().finally(held));
      await jest.advanceTimersByTimeAsync(60_000);
      expect(held).not.toHaveBeenCalled();
      expect(jest.getTimerCount()).toBe(0);
      chaos.stopAll();
      expect(await Promise.all(calls)).toEqual(['history', 'history']);
    } finally {
      jest.useRealTimers();
    }
  });

  it('lets go of a stream that nobody listens to any more', async () => {
    const { payments, chaos } = await started();
    jest.useFakeTimers();
    try {
      chaos.add({ operations: 'Payments.prices', latencyMs: 60_000 });
      payments.prices().subscribe().unsubscribe();
      await Promise.resolve();
      expect(jest.getTimerCount()).toBe(0);
      expect(payments.calls).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('lets it hang until its caller gives up', async () => {
    const { app } = await started({ operations: 'patient', hang: true });
    const pipeline = app.get(ResilienceService).pipeline({ name: 'patient' });
    const controller = new AbortController();
    const call = pipeline.execute(async () => 'done', { signal: controller.signal });
    controller.abort(new RangeError('enough'));
    await expect(call).rejects.toThrow(new RangeError('enough'));
  });

  it('delays the work, which is done then, or which the timeout comes before', async () => {
    const { payments, chaos } = await started({
      id: 'slow',
      operations: 'Payments.*',
      latencyMs: [0, 1],
    });
    expect(await payments.charge()).toBe('charged 1');
    chaos.remove('slow');
    chaos.add({ operations: 'Payments.*', latencyMs: 10_000 });
    await expect(payments.charge()).rejects.toThrow(TimeoutError);
    expect(payments.calls).toBe(1);
    chaos.stopAll();
    await new Promise((resolve) => setImmediate(resolve));
    expect(await payments.charge()).toBe('charged 1');
  });

  it('delays an error too', async () => {
    const rule: ChaosRule = {
      operations: 'Payments.*',
      latencyMs: 1,
      error: () => new Error('slow'),
    };
    const { payments } = await started(rule);
    await expect(payments.history()).rejects.toThrow('slow');
  });

  it('stands inside of all stages: they retry, fall back, open and count as by a real fault', async () => {
    const { payments, chaos } = await started({ operations: 'Payments.*', error: true });
    expect(await payments.refund()).toBe('queued');
    expect(chaos.list()).toMatchObject([{ injected: 3 }]);
    for (let i = 0; i < 3; i++) await expect(payments.charge()).rejects.toThrow(ChaosError);
    await expect(payments.charge()).rejects.toThrow(CircuitBreakerOpenError);
  });

  it('hits the operations that call a dependency', async () => {
    const { payments, chaos } = await started({ upstream: 'bank', error: true });
    await expect(payments.charge()).rejects.toThrow(ChaosError);
    expect(await payments.history()).toBe('history');
    chaos.stopAll();
    chaos.add({ operations: 'Payments.*', upstream: 'books', error: true });
    expect(await payments.charge()).toBe('charged 1');
    await expect(payments.history()).rejects.toThrow(ChaosError);
  });

  it.each([
    ['Payments.charge', true],
    ['Pay*', true],
    ['*', true],
    ['*.ch*ge', true],
    ['*charge*', true],
    ['P*a*charge', true],
    ['charge', false],
    ['Payments', false],
    ['payments.charge', false],
    ['Payments.charge*e', false],
    ['*charge?', false],
    ['Payments.c.arge', false],
  ])('means by %s the operation Payments.charge: %s', async (operations, isMeant) => {
    const { payments } = await started({ operations, error: true });
    const outcome = payments.charge().catch(() => 'hit');
    expect(await outcome).toBe(isMeant ? 'hit' : 'charged 1');
  });

  it('hits its share of the attempts, as the numbers fall', async () => {
    const numbers = [0.09, 0.1, 0.5, 0, Number.NaN, 2, -1];
    const hits: boolean[] = [];
    const { payments } = await start({
      random: () => numbers.shift() as number,
      rules: [{ operations: 'Payments.history', rate: 0.1, error: true }],
    });
    while (numbers.length > 0)
      hits.push(
        await payments.history().then(
          () => false,
          () => true,
        ),
      );
    expect(hits).toEqual([true, false, false, true, false, false, false]);
  });

  it('hits nothing by a function for random numbers that throws, and says so once', async () => {
    const random = () => {
      throw new Error('no luck');
    };
    const rules: ChaosRule[] = [{ operations: 'Payments.history', rate: 0.5, error: true }];
    const { payments, logger } = await start({ random, rules });
    await payments.history();
    await payments.history();
    expect(logger.messages('warn', 'Resilience')).toEqual([expect.stringContaining('no luck')]);
  });

  it('hits never at a rate of 0, and without drawing at one of 1', async () => {
    const random = jest.fn(() => 0.5);
    const { payments } = await start({
      random,
      rules: [
        { operations: 'Payments.charge', rate: 0, error: true },
        { operations: 'Payments.history', error: true },
      ],
    });
    expect(await payments.charge()).toBe('charged 1');
    await expect(payments.history()).rejects.toThrow(ChaosError);
    expect(random).not.toHaveBeenCalled();
  });

  it('spreads a latency evenly between its bounds', async () => {
    const latencies: number[] = [];
    const { payments, app } = await start({
      random: () => 0.25,
      rules: [{ operations: 'Payments.history', latencyMs: [2, 4] }],
    });
    app.get(ResilienceEvents).events$.subscribe((event) => {
      if (event.type === 'chaos') latencies.push(event.latencyMs ?? 0);
    });
    await payments.history();
    expect(latencies).toEqual([2.5]);
  });

  it('is the first of several that hits', async () => {
    const { payments } = await started(
      { operations: 'Payments.*', rate: 0, error: true },
      { operations: 'Payments.*', result: 'second' },
      { operations: 'Payments.*', result: 'third' },
    );
    expect(await payments.history()).toBe('second');
  });
});

describe('Chaos comes to', () => {
  it('Observables, at each subscription', async () => {
    const { payments, chaos } = await started();
    const prices = payments.prices();
    expect(await lastValueFrom(prices.pipe(toArray()))).toEqual([1, 2]);
    chaos.add({ id: 'it', operations: '*.prices', error: true });
    await expect(lastValueFrom(prices)).rejects.toThrow(ChaosError);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.prices', hang: true });
    await expect(lastValueFrom(prices)).rejects.toThrow(TimeoutError);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.prices', latencyMs: 1 });
    expect(await lastValueFrom(prices.pipe(toArray()))).toEqual([1, 2]);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.prices', latencyMs: 10_000 });
    await expect(lastValueFrom(prices)).rejects.toThrow(TimeoutError);
    for (const [result, values] of [
      ['one', ['one']],
      [() => of(7, 8), [7, 8]],
      [async () => 9, [9]],
    ] as const) {
      chaos.remove('it');
      chaos.add({ id: 'it', operations: '*.prices', result });
      expect(await lastValueFrom(prices.pipe(toArray()))).toEqual(values);
    }
  });

  it('async generators', async () => {
    const { payments, chaos } = await started();
    const pages = async () => {
      const all: unknown[] = [];
      for await (const page of payments.pages()) all.push(page);
      return all;
    };
    expect(await pages()).toEqual([1, 2]);
    chaos.add({ id: 'it', operations: '*.pages', error: true });
    await expect(pages()).rejects.toThrow(ChaosError);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.pages', hang: true });
    await expect(pages()).rejects.toThrow(TimeoutError);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.pages', latencyMs: 1 });
    expect(await pages()).toEqual([1, 2]);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.pages', latencyMs: 10_000 });
    await expect(pages()).rejects.toThrow(TimeoutError);
    chaos.remove('it');
    chaos.add({ id: 'it', operations: '*.pages', result: 'only' });
    expect(await pages()).toEqual(['only']);
    chaos.remove('it');
    async function* two() {
      yield 'one';
      yield 'two';
    }
    chaos.add({ operations: '*.pages', result: two });
    expect(await pages()).toEqual(['one', 'two']);
  });

  it('methods of which nobody tells what they return, in either way', async () => {
    const { payments, chaos } = await started({ operations: '*ing', error: true });
    await expect(payments.promising()).rejects.toThrow(ChaosError);
    await expect(firstValueFrom(payments.streaming())).rejects.toThrow(ChaosError);
    chaos.stopAll();
    chaos.add({ operations: '*ing', latencyMs: 1 });
    expect(await payments.promising()).toBe('promised');
    expect(await firstValueFrom(payments.streaming())).toBe('streamed');
  });

  it.each([Scope.REQUEST, Scope.TRANSIENT])('objects of every scope (%s)', async (scope) => {
    @Injectable({ scope })
    class Scoped {
      @Timeout(400)
      async find(): Promise<string> {
        return 'found';
      }
    }
    const { app } = await boot(
      { providers: [Scoped] },
      { ...OPTIONS, chaos: { rules: [{ operations: 'Scoped.find', error: true }] } },
    );
    const scoped = await app.resolve(Scoped, ContextIdFactory.create());
    await expect(scoped.find()).rejects.toThrow(ChaosError);
  });

  it('bundles, and pipelines that were made in code', async () => {
    const { app, chaos } = await start(
      { rules: [{ operations: 'mail', error: true }] },
      { services: { mail: { timeoutMs: 400 } } },
    );
    const service = app.get(ResilienceService);
    const work = jest.fn(async () => 'sent');
    await expect(service.execute('mail', work)).rejects.toThrow(ChaosError);
    const pipeline = service.pipeline({ name: 'late', upstream: 'post' });
    expect(await pipeline.execute(work)).toBe('sent');
    chaos.add({ upstream: 'post', error: true });
    await expect(pipeline.execute(work)).rejects.toThrow(ChaosError);
    await expect(lastValueFrom(pipeline.observe(() => of(1)))).rejects.toThrow(ChaosError);
    expect(work).toHaveBeenCalledTimes(1);
  });

  it('each of the attempts that are made beside each other', async () => {
    const drawn = [0, 1];
    const { app } = await start({
      random: () => drawn.shift() as number,
      rules: [{ operations: 'twice', rate: 0.5, hang: true }],
    });
    const pipeline = app.get(ResilienceService).pipeline({
      name: 'twice',
      hedge: { delayMs: 1 },
    });
    expect(await pipeline.execute(async ({ attempt }) => `answer of ${attempt}`)).toBe(
      'answer of 1',
    );
  });

  it('attempts, whose work runs in their scope as ever once it was delayed', async () => {
    @Injectable()
    class Looking {
      signal: AbortSignal | undefined;

      @Timeout(1_000)
      async look(): Promise<boolean> {
        this.signal = currentSignal();
        return currentSignal() === this.signal;
      }
    }
    const { app } = await boot(
      { providers: [Looking] },
      { ...OPTIONS, chaos: { rules: [{ operations: 'Looking.look', latencyMs: 1 }] } },
    );
    expect(await app.get(Looking).look()).toBe(true);
  });
});

describe('A result of chaos', () => {
  @Injectable()
  class Rates {
    isDown = false;

    @Fallback({ lastGood: { maxAgeMs: 60_000, key: () => 'rates' } })
    async rates(): Promise<string> {
      return this.real('rates');
    }

    @(Fallback({ lastGood: { maxAgeMs: 60_000, key: () => 'ticks' } }) as MethodDecorator)
    async *ticks(): AsyncGenerator<string> {
      yield this.real('tick');
    }

    @Fallback({ lastGood: { maxAgeMs: 60_000, key: () => 'quotes' } })
    quotes(): Observable<string> {
      return defer(() => of(this.real('quote')));
    }

    @Fallback({ lastGood: { maxAgeMs: 60_000, key: () => 'page' } })
    async summary(): Promise<string> {
      return this.real(`all of ${await this.rates()}`);
    }

    private real(value: string): string {
      if (this.isDown) throw new Error('down');
      return value;
    }
  }

  it('is not kept as the last good one, nor is what was made of it', async () => {
    const { app } = await boot({ providers: [Rates] }, { ...OPTIONS, chaos: {} });
    const [rates, chaos] = [app.get(Rates), app.get(Chaos)];
    const all = async () => [
      await rates.rates(),
      await lastValueFrom(from(rates.ticks())),
      await lastValueFrom(rates.quotes()),
      await rates.summary(),
    ];
    const real = ['rates', 'tick', 'quote', 'all of rates'];
    expect(await all()).toEqual(real);
    for (const operations of ['Rates.rates', 'Rates.ticks', 'Rates.quotes'])
      chaos.add({ operations, result: 'made up' });
    expect(await all()).toEqual(['made up', 'made up', 'made up', 'all of made up']);
    chaos.stopAll();
    rates.isDown = true;
    expect(await all()).toEqual(real);
  });
});

describe('The Chaos service', () => {
  it('adds, lists and removes rules while the application runs', async () => {
    const { payments, chaos } = await start({});
    expect(chaos.isOn).toBe(false);
    const id = chaos.add({
      operations: /history/,
      upstream: 'books',
      rate: 0.5,
      latencyMs: [1, 2],
    });
    const named = chaos.add({ id: 'bank', upstream: 'bank', error: true, forMs: 60_000 });
    expect([id, named]).toEqual(['chaos-1', 'bank']);
    expect(chaos.isOn).toBe(true);
    expect(chaos.list()).toEqual([
      {
        id: 'chaos-1',
        operations: '/history/',
        upstream: 'books',
        rate: 0.5,
        effect: 'latency',
        latencyMs: [1, 2],
        injected: 0,
      },
      {
        id: 'bank',
        upstream: 'bank',
        rate: 1,
        effect: 'error',
        endsAt: expect.stringMatching(/^\d{4}-/),
        injected: 0,
      },
    ]);
    await expect(payments.charge()).rejects.toThrow(ChaosError);
    expect(chaos.list()[1]).toMatchObject({ injected: 1 });
    expect(chaos.remove('bank')).toBe(true);
    expect(chaos.remove('bank')).toBe(false);
    expect(await payments.charge()).toBe('charged 1');
    chaos.stopAll();
    expect(chaos.list()).toEqual([]);
    chaos.stopAll();
  });

  it('gives a rule no id that another one has', async () => {
    const { chaos } = await start({});
    chaos.add({ id: 'chaos-1', operations: '*', error: true });
    expect(chaos.add({ operations: '*', error: true })).toBe('chaos-2');
    expect(() => chaos.add({ id: 'chaos-2', operations: '*', error: true })).toThrow(
      'Chaos.add().id: is "chaos-2", as that of another rule; allowed: another one, or remove() that first',
    );
  });

  it('says in the log that chaos begins and ends', async () => {
    const { chaos, logger } = await start({});
    chaos.add({ operations: 'Payments.*', rate: 0.25, latencyMs: 5, error: true });
    chaos.stopAll();
    expect(logger.messages('warn', 'Chaos')).toEqual([
      {
        event: 'chaos_on',
        chaos: true,
        message: 'Chaos is on: chaos-1 (Payments.*: error after 5 ms at 25 % of the attempts)',
        rule: 'chaos-1',
      },
      {
        event: 'chaos_off',
        chaos: true,
        message: 'Chaos has ended: chaos-1',
        rules: ['chaos-1'],
      },
    ]);
  });

  it.each([
    ['forMs', () => ({ forMs: 5_000 })],
    ['until', () => ({ until: new Date(Date.now() + 5_000) })],
  ])('ends a rule by %s, and holds no timer for it', async (_, end) => {
    const { payments, chaos } = await start({});
    jest.useFakeTimers();
    try {
      chaos.add({ operations: 'Payments.history', error: true, ...end() });
      expect(jest.getTimerCount()).toBe(0);
      jest.advanceTimersByTime(4_999);
      await expect(payments.history()).rejects.toThrow(ChaosError);
      jest.advanceTimersByTime(1);
      expect(chaos.isOn).toBe(false);
      expect(chaos.list()).toEqual([]);
      expect(await payments.history()).toBe('history');
    } finally {
      jest.useRealTimers();
    }
  });

  it('lets a rule end at the first call after its time, though nobody has asked for the rules', async () => {
    const { payments, chaos, logger } = await start({});
    jest.useFakeTimers();
    try {
      chaos.add({ id: 'it', operations: 'Payments.history', error: true, forMs: 1 });
      jest.advanceTimersByTime(1);
      expect(await payments.history()).toBe('history');
      expect(logger.messages('warn', 'Chaos').at(-1)).toMatchObject({ event: 'chaos_off' });
      expect(chaos.remove('it')).toBe(false);
    } finally {
      jest.useRealTimers();
    }
  });

  it('leaves no timer behind where a delay is cut, and ends delays when the application closes', async () => {
    const { app, payments, chaos } = await start({});
    jest.useFakeTimers();
    try {
      chaos.add({ operations: 'Payments.charge', latencyMs: 60_000 });
      const cut = payments.charge();
      const expected = expect(cut).rejects.toThrow(TimeoutError);
      await jest.advanceTimersByTimeAsync(400);
      await expected;
      expect(jest.getTimerCount()).toBe(0);
      chaos.add({ operations: 'Payments.history', latencyMs: 60_000 });
      const delayed = payments.history();
      expect(jest.getTimerCount()).toBe(1);
      await app.close();
      expect(await delayed).toBe('history');
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('refuses rules of an application that has no chaos', async () => {
    const { chaos, payments } = await start(undefined);
    expect(chaos.list()).toEqual([]);
    chaos.stopAll();
    expect(() => chaos.add({ operations: '*', error: true })).toThrow(
      'Chaos.add(): this application has no chaos; give it, without a rule if there is none yet: ResilienceModule.forRoot({ chaos: {} })',
    );
    expect(await payments.history()).toBe('history');
  });

  it('does not come to policies alone, which are no operations', async () => {
    const { app } = await started({ operations: '*', error: true });
    const breaker = app.get(CircuitBreakerRegistry).get('payments');
    expect(await breaker.execute(async () => 'done')).toBe('done');
  });
});
