import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Controller, Get, Injectable } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import {
  Bulkhead,
  BulkheadRegistry,
  currentSignal,
  Fallback,
  Resilience,
  Retry,
  Timeout,
  TimeoutError,
} from '../../lib/index.js';
import { closeAll } from '../binding/support.js';
import { EXPRESS, FASTIFY, listen } from '../edge/adapters.support.js';
import { latch, soon } from '../edge/waiting.js';
import {
  booting,
  Deferred,
  elapse,
  failure,
  flush,
  never,
  watch,
} from '../support/resilience-app.js';

const boot = booting();
afterEach(closeAll);

type Generated = AsyncGenerator<unknown, unknown, unknown>;

describe('A decorated async generator is as transparent as an undecorated one', () => {
  /** Answers what is sent to it and thrown into it, and may refuse to be closed. */
  async function* body(log: unknown[]): Generated {
    try {
      for (let sent: unknown = 'begun'; sent !== 'done'; ) {
        try {
          sent = yield ['got', sent];
        } catch (error) {
          if (error === 'fatal') throw error;
          sent = yield ['caught', error];
        }
      }
      return 'returned';
    } finally {
      log.push('closing');
      yield 'one more';
      log.push('closed');
    }
  }

  @Injectable()
  class Service {
    log: unknown[] = [];
    plain(): Generated {
      return body(this.log);
    }
    @Retry(2)
    async *provider(): Generated {
      return yield* body(this.log);
    }
    @MessagePattern('generated')
    @Timeout(5_000)
    async *handler(): Generated {
      return yield* body(this.log);
    }
  }

  type Step = (values: Generated) => Promise<unknown>;
  const next =
    (...sent: [] | [unknown]): Step =>
    (values) =>
      values.next(...sent);
  const thrown =
    (error: unknown): Step =>
    (values) =>
      values.throw(error);
  const returned =
    (value: unknown): Step =>
    (values) =>
      values.return(value);

  it.each<[string, Step[]]>([
    ['values that are sent', [next('ignored'), next(1), next(2), next('done'), next(), next()]],
    [
      'errors that are thrown into it',
      [next(), thrown('oops'), next('again'), thrown('fatal'), next(), next()],
    ],
    ['an error before it has begun', [thrown('early'), next()]],
    ['an end before it has begun', [returned('early'), next()]],
    ['an end in the middle, which it answers first', [next(), returned('enough'), next(), next()]],
    ['an error in its end', [next(), returned('enough'), thrown('oops'), next()]],
  ])('for %s', async (_what, steps) => {
    const app = await boot({}, [Service]);
    const outcomes = async (key: 'plain' | 'provider' | 'handler') => {
      const service = app.module.get(Service);
      service.log = [];
      const values = service[key]();
      const seen: unknown[] = [];
      for (const step of steps)
        seen.push(await step(values).catch((error: unknown) => ['thrown', error]));
      return { seen, log: service.log };
    };
    const plain = await outcomes('plain');
    expect(await outcomes('provider')).toEqual(plain);
    expect(await outcomes('handler')).toEqual(plain);
  });

  it('for several that wait for its values at once', async () => {
    const app = await boot({}, [Service]);
    const values = app.module.get(Service).provider();
    expect(await Promise.all([values.next(), values.next('a'), values.return('end')])).toEqual([
      { value: ['got', 'begun'], done: false },
      { value: ['got', 'a'], done: false },
      { value: 'one more', done: false },
    ]);
  });

  it('and returns what it returns without a value', async () => {
    @Injectable()
    class Empty {
      runs = 0;
      @Bulkhead('narrow')
      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      async *values(): Generated {
        if (++this.runs === 1) throw new Error('down');
        if (this.runs > 2) yield 'something';
        return 'nothing';
      }
    }
    const app = await boot({ bulkheads: { narrow: { maxConcurrent: 1 } } }, [Empty]);
    const values = app.module.get(Empty).values();
    const outcome = watch(values.next());
    await elapse(10);
    expect(outcome.value).toEqual({ value: 'nothing', done: true });
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(0);
  });

  it('and so is a fallback that is one', async () => {
    @Injectable()
    class Cached {
      @Fallback('cached')
      async *values(): Generated {
        yield await Promise.reject(new Error('down'));
        return 'never';
      }
      async *cached(): Generated {
        const sent = yield 'first';
        return yield ['got', sent];
      }
    }
    const app = await boot({}, [Cached]);
    const values = app.module.get(Cached).values();
    expect(await values.next()).toEqual({ value: 'first', done: false });
    expect(await values.next(1)).toEqual({ value: ['got', 1], done: false });
    expect(await values.next(2)).toEqual({ value: 2, done: true });
  });
});

describe('A decorated async generator that has not begun', () => {
  it('is answered by a fallback of any kind as by one value', async () => {
    @Injectable()
    class Cached {
      answer: unknown;
      @Fallback('cached')
      async *values(): AsyncGenerator<unknown> {
        yield await Promise.reject(new Error('down'));
      }
      cached(): unknown {
        return this.answer;
      }
    }
    const app = await boot({}, [Cached]);
    const cached = app.module.get(Cached);
    for (const answer of ['text', [1, 2], undefined, 0]) {
      cached.answer = answer;
      const values = cached.values();
      expect(await values.next()).toEqual({ value: answer, done: false });
      expect(await values.next()).toEqual({ value: undefined, done: true });
    }
  });

  it('is retried where its call throws at once, by the default of a parameter for instance', async () => {
    @Injectable()
    class Defaults {
      made = 0;
      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      async *values(value = this.fallible()): AsyncGenerator<number> {
        yield value;
      }
      fallible(): number {
        if (++this.made === 1) throw new Error('down');
        return this.made;
      }
    }
    const app = await boot({}, [Defaults]);
    const first = watch(app.module.get(Defaults).values().next());
    await elapse(0);
    expect(first.value).toEqual({ value: 2, done: false });
  });

  it.each(['yields', 'returns'])('and timed out is left as soon as it %s', async (how) => {
    const discarded: unknown[] = [];
    @Injectable()
    class Slow {
      work = new Deferred<void>();
      torn = 0;
      @Bulkhead('narrow')
      @Timeout(100)
      @Resilience({ onDiscard: (answer) => discarded.push(answer) })
      async *values(): Generated {
        try {
          await this.work.promise;
          if (how === 'yields') yield 'late';
        } finally {
          this.torn++;
        }
        return 'returned';
      }
    }
    const app = await boot({ bulkheads: { narrow: { maxConcurrent: 1 } } }, [Slow]);
    const slow = app.module.get(Slow);
    const first = watch(slow.values().next());
    await elapse(100);
    expect(first.error).toBeInstanceOf(TimeoutError);
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(1); // it really runs
    slow.work.resolve();
    await flush();
    expect(slow.torn).toBe(1);
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(0);
    expect(discarded).toEqual(how === 'yields' ? ['late'] : []);
  });

  it('ends with the call around it, and so does each of several', async () => {
    @Injectable()
    class Hanging {
      @Retry(2)
      async *values(): AsyncGenerator<unknown> {
        yield await never();
      }
    }
    const app = await boot({}, [Hanging]);
    const hanging = app.module.get(Hanging);
    let firsts: Promise<unknown>[] = [];
    const call = failure(
      app.pipeline({ timeoutMs: 100 }).execute(() => {
        firsts = [1, 2, 3].map(() => failure(hanging.values().next()));
        return never();
      }),
    );
    await elapse(100);
    const error = await call;
    expect(await Promise.all(firsts)).toEqual([error, error, error]);
  });
});

describe('A decorated async generator that has begun', () => {
  @Injectable()
  class Feed {
    signal: AbortSignal | undefined;
    torn = 0;
    begun = latch();

    /** Waits for ever after its first value, or listens to the signal. */
    @Bulkhead('narrow')
    @Timeout(10_000)
    async *values(waits: 'for ever' | 'for the signal' = 'for the signal'): AsyncGenerator<string> {
      const signal = currentSignal();
      try {
        yield 'first';
        this.signal = currentSignal();
        expect(this.signal).toBe(signal);
        this.begun.open();
        if (waits === 'for the signal') await once(signal, 'abort');
        else await never();
        yield 'second';
      } finally {
        this.torn++;
      }
    }
  }
  const options = { bulkheads: { narrow: { maxConcurrent: 1 } } };

  async function consume(feed: Feed, ...args: Parameters<Feed['values']>): Promise<string[]> {
    const seen: string[] = [];
    for await (const value of feed.values(...args)) seen.push(value);
    return seen;
  }

  it('ends with the call around it, as an Observable does', async () => {
    const app = await boot(options, [Feed]);
    const feed = app.module.get(Feed);
    let inner: Promise<unknown> | undefined;
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(() => {
        inner = failure(consume(feed));
        return never();
      }),
    );
    await elapse(99);
    expect(feed.signal?.aborted).toBe(false);
    await elapse(1);
    expect(call.error).toBeInstanceOf(TimeoutError);
    expect(feed.signal?.reason).toBe(call.error);
    expect(await inner).toBe(call.error);
    expect(feed.torn).toBe(1);
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(0);
  });

  it('ends for who waits for its next value also where it hears of nothing', async () => {
    const app = await boot(options, [Feed]);
    const feed = app.module.get(Feed);
    const leaving = new AbortController();
    const call = app
      .pipeline({})
      .execute(() => consume(feed, 'for ever'), { signal: leaving.signal });
    const failed = failure(call);
    await flush();
    const reason = new Error('gone');
    leaving.abort(reason);
    expect(await failed).toBe(reason);
    expect(feed.signal?.reason).toBe(reason);
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(1); // it really runs
  });

  it('ends between two values, and says so to who asks for the next one', async () => {
    const app = await boot(options, [Feed]);
    const feed = app.module.get(Feed);
    let values: AsyncGenerator<string> | undefined;
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        values = feed.values();
        await values.next();
        return never();
      }),
    );
    await elapse(100);
    expect(feed.torn).toBe(1);
    expect(app.bulkheads.get('narrow').getSnapshot().running).toBe(0);
    expect(await failure(values?.next() as Promise<unknown>)).toBe(call.error);
    expect(await values?.next()).toEqual({ value: undefined, done: true });
  });

  it('that was cut may still be left by who reads it', async () => {
    const app = await boot(options, [Feed]);
    const feed = app.module.get(Feed);
    let values: AsyncGenerator<string> | undefined;
    const call = failure(
      app.pipeline({ timeoutMs: 100 }).execute(async () => {
        values = feed.values();
        await values.next();
        return never();
      }),
    );
    await elapse(100);
    await call;
    expect(await values?.return('left')).toEqual({ value: 'left', done: true });
  });

  it('and was cut leaves on its own what was made in it, though it goes on itself', async () => {
    @Injectable()
    class Endless {
      later: (() => Promise<string>) | undefined;
      @Retry(2)
      async *values(): AsyncGenerator<string> {
        this.later = AsyncResource.bind(() => this.call());
        yield 'first';
        await never();
      }
      @Timeout(1_000)
      async call(): Promise<string> {
        return 'answer';
      }
    }
    const app = await boot({}, [Endless]);
    const endless = app.module.get(Endless);
    const around = app.pipeline({ timeoutMs: 100 });
    const call = failure(
      around.execute(async () => {
        for await (const _ of endless.values());
      }),
    );
    await elapse(100);
    expect(await call).toBeInstanceOf(TimeoutError);
    await nextTurn();
    expect(await endless.later?.()).toBe('answer');
  });

  it('ends for its reader at whatever moment around its first value the call around it ends', async () => {
    @Injectable()
    class Raced {
      first = new Deferred<string>();
      torn = 0;
      @Retry(2)
      async *values(): AsyncGenerator<string> {
        const aborted = once(currentSignal(), 'abort');
        try {
          yield await this.first.promise;
          await aborted;
        } finally {
          this.torn++;
        }
      }
    }
    const app = await boot({}, [Raced]);
    const raced = app.module.get(Raced);
    const around = app.pipeline({});
    const reason = new Error('gone');
    for (let ticks = 0; ticks < 30; ticks++) {
      raced.first = new Deferred();
      const leaving = new AbortController();
      let reader: Promise<unknown> | undefined;
      const call = around.execute(
        () => {
          reader = failure(
            (async () => {
              for await (const value of raced.values()) expect(value).toBe('first');
            })(),
          );
          return never();
        },
        { signal: leaving.signal },
      );
      const failed = failure(call);
      await flush();
      raced.first.resolve('first');
      for (let tick = 0; tick < ticks; tick++) await null;
      leaving.abort(reason);
      expect(await failed).toBe(reason);
      expect(await reader).toBe(reason);
      await flush();
      expect(raced.torn).toBe(ticks + 1);
    }
  });

  it('fails by its own error, which is retried further out unless a call inside has done so', async () => {
    @Injectable()
    class Failing {
      made = 0;
      readonly down = new Error('down');
      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      async read(): Promise<void> {
        for await (const _ of this.values());
      }
      @Retry(2)
      async *values(): AsyncGenerator<number> {
        this.made++;
        yield 1;
        throw this.down;
      }
      @Retry(2)
      async *retrying(): AsyncGenerator<number> {
        yield 1;
        await this.inner();
      }
      @Retry({ maxAttempts: 2, baseDelayMs: 0 })
      async inner(): Promise<void> {
        throw this.down;
      }
      @Fallback('instead')
      async *answered(): AsyncGenerator<number> {
        yield await Promise.reject(new Error('at once'));
      }
      async *instead(): AsyncGenerator<number> {
        yield 1;
        throw this.down;
      }
      async all(values: AsyncGenerator<number>): Promise<void> {
        for await (const _ of values);
      }
    }
    const app = await boot({}, [Failing]);
    const service = app.module.get(Failing);
    const failed = async (call: Promise<void>) => {
      const outcome = watch(call);
      await elapse(1_000);
      return outcome.error;
    };
    expect(await failed(service.read())).toBe(service.down);
    expect(service.made).toBe(2);
    expect(await failed(service.all(service.retrying()))).toBe(service.down);
    expect(await failed(service.all(service.answered()))).toBe(service.down);
  });

  it('goes on where the call around it has ended well, and keeps nothing of it when it is done', async () => {
    const app = await boot(options, [Feed]);
    const feed = app.module.get(Feed);
    const values = await app.pipeline({ timeoutMs: 100 }).execute(async () => {
      const all = feed.values();
      await all.next();
      return all;
    });
    const pending = watch(values.next());
    await elapse(1_000);
    expect(pending.state).toBe('pending');
    expect(feed.signal?.aborted).toBe(false);
  });

  it.each([EXPRESS, FASTIFY])('ends with the client that leaves ($name)', async (platform) => {
    const ended = latch<unknown>();
    @Controller()
    class Feeds {
      constructor(private readonly feed: Feed) {}
      @Get()
      async get(): Promise<string[]> {
        return consume(this.feed).catch((error: unknown) => {
          ended.open(error);
          throw error;
        });
      }
    }
    const { open, app } = await listen(
      platform,
      { controllers: [Feeds], providers: [Feed] },
      options,
    );
    const exchange = open('/');
    const feed = app.get(Feed);
    await soon(feed.begun.opened, 'the second step');
    exchange.leave();
    const error = await soon(ended.opened, 'the end');
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(feed.signal?.reason).toBe(error);
    expect(feed.torn).toBe(1);
    expect(app.get(BulkheadRegistry).get('narrow').getSnapshot().running).toBe(0);
  });
});
