import { AsyncLocalStorage } from 'node:async_hooks';
import { parse } from 'node:querystring';
import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Scope } from '@nestjs/common';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitBreakerRegistry,
  Coalesce,
  currentSignal,
  Fallback,
  outboundHeaders,
  type ResilienceEvent,
  ResilienceEvents,
  ResilienceService,
  Retry,
  Timeout,
} from '../../lib/index.js';
import {
  booting,
  Deferred,
  elapse,
  failure,
  flush,
  never,
  watch,
} from '../support/resilience-app.js';

/** Work that a test ends, and what it was called with. */
class Source {
  readonly calls: { args: unknown[]; signal: AbortSignal; headers: Record<string, string> }[] = [];
  answer = new Deferred<unknown>();

  readonly run = (...args: unknown[]): Promise<unknown> => {
    this.calls.push({ args, signal: currentSignal(), headers: outboundHeaders() });
    return this.answer.promise;
  };
}

@Injectable()
class Catalogue {
  readonly source = new Source();

  @Coalesce()
  async find(id: unknown, _more?: unknown): Promise<unknown> {
    return this.source.run(id);
  }

  @Coalesce({ key: (id: number) => `${id % 10}` })
  @Fallback((error) => ({ answeredFor: error }))
  @Retry({ maxAttempts: 3, baseDelayMs: 0 })
  async byLastDigit(id: number): Promise<unknown> {
    return this.source.run(id);
  }
}

describe('Equal calls that run at the same time', () => {
  const boot = booting();
  const catalogue = async () => {
    const app = await boot({}, [Catalogue]);
    return { app, service: app.module.get(Catalogue), source: app.module.get(Catalogue).source };
  };

  it('share one execution, and get the very same value', async () => {
    const { service, source } = await catalogue();
    const calls = [service.find(7), service.find(7), service.find(7)];
    const value = { id: 7 };
    source.answer.resolve(value);
    for (const answer of await Promise.all(calls)) expect(answer).toBe(value);
    expect(source.calls.map(({ args }) => args)).toEqual([[7]]);
  });

  it('get the very same error', async () => {
    const { service, source } = await catalogue();
    const calls = [watch(service.find(7)), watch(service.find(7))];
    const error = new Error('down');
    source.answer.reject(error);
    await flush();
    expect(calls.map((call) => call.error)).toEqual([error, error]);
    expect(calls[1]?.error).toBe(error);
  });

  it('get the very same error also where one is made while the first is just being refused', async () => {
    @Injectable()
    class Client {
      @Coalesce()
      @CircuitBreaker('partner')
      async find(_id: number): Promise<unknown> {
        return undefined;
      }
    }
    const app = await boot({ breakers: { partner: {} } }, [Client]);
    const client = app.module.get(Client);
    app.module.get(CircuitBreakerRegistry).get('partner').forceOpen();
    const others: ReturnType<typeof watch>[] = [];
    app.module.get(ResilienceEvents).events$.subscribe(({ type }) => {
      if (type === 'circuit-rejected' && others.length === 0) others.push(watch(client.find(7)));
    });
    const error = await failure(client.find(7));
    await flush();
    expect(error).toBeInstanceOf(CircuitBreakerOpenError);
    expect(others.map((other) => other.error)).toEqual([error]);
    await failure(client.find(7));
    expect(app.metrics.get('circuit.rejected', { breaker: 'partner' })).toBe(2);
  });

  it('are made anew once they are over', async () => {
    const { service, source } = await catalogue();
    source.answer.resolve('first');
    expect(await service.find(7)).toBe('first');
    source.answer = new Deferred();
    const again = watch(service.find(7));
    source.answer.resolve('second');
    await flush();
    expect(again.value).toBe('second');
    expect(source.calls).toHaveLength(2);
  });

  it('share their attempts and their fallback too', async () => {
    const { service, source, app } = await catalogue();
    const calls = [watch(service.byLastDigit(12)), watch(service.byLastDigit(22))];
    source.answer.reject(new Error('down'));
    await elapse(10);
    expect(source.calls.map(({ args }) => args)).toEqual([[12], [12], [12]]);
    expect(calls[0]?.value).toMatchObject({ answeredFor: { message: 'down' } });
    expect(calls[1]?.value).toBe(calls[0]?.value);
    expect(
      app.metrics.get('requests.total', {
        operation: 'Catalogue.byLastDigit',
        outcome: 'fallback',
      }),
    ).toBe(1);
  });

  it('are told of by an event, a metric and the description', async () => {
    const { service, source, app } = await catalogue();
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const calls = [service.find(1), service.find(1), service.find(2), service.find(1)];
    source.answer.resolve('found');
    await Promise.all(calls);
    expect(events).toMatchObject([
      { type: 'coalesced', operation: 'Catalogue.find', waiting: 2 },
      { type: 'coalesced', operation: 'Catalogue.find', waiting: 3 },
    ]);
    expect(app.metrics.get('coalesce.joined', { operation: 'Catalogue.find' })).toBe(2);
    const described = app.module.get(ResilienceService).describe();
    expect(described.map(({ stages }) => stages.coalesce)).toEqual([
      { by: 'arguments' },
      { by: 'key' },
    ]);
  });

  describe('are equal', () => {
    const sharing = async (...calls: [unknown, unknown?][]) => {
      const { service, source } = await catalogue();
      const made = calls.map((args) => service.find(...args));
      source.answer.resolve('found');
      await Promise.all(made);
      return source.calls.length;
    };

    it.each<[string, [unknown, unknown?], [unknown, unknown?]]>([
      ['by equal texts', ['a'], ['a']],
      ['by NaN', [Number.NaN], [Number.NaN]],
      ['by dates of one time', [new Date(5)], [new Date(5)]],
      ['by large whole numbers', [5n], [5n]],
      [
        'by plain objects, whatever the order of their keys',
        [{ a: 1, b: [{ c: null }] }],
        [{ b: [{ c: null }], a: 1 }],
      ],
      ['by query strings that were parsed', [parse('a=1')], [parse('a=1')]],
      ['where an argument was left out', [1], [1, undefined]],
      ['whatever signal they are given', [1, new AbortController().signal], [1]],
    ])('%s', async (_name, one, other) => {
      expect(await sharing(one, other)).toBe(1);
    });

    class Order {
      id = 1;
    }
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const GREATER = Symbol('greater than');
    class List extends Array {}
    class Day extends Date {}
    const of = (tenant: string, value: object) => Object.assign(value, { tenant });
    const hidden = (tenant: string) => Object.defineProperty({}, 'tenant', { value: tenant });
    const inheriting = (tenant: string) =>
      Object.create(Object.assign(Object.create(null), { tenant }));

    it.each<[string, unknown, unknown]>([
      ['by other texts', 'a', 'b'],
      ['by a number and its text', 1, '1'],
      ['by null and undefined', null, undefined],
      ['by 0 and -0', 0, -0],
      ['by texts that look like several', ['a', 'b'], ['a,b']],
      ['by an object and an array', { 0: 'a' }, ['a']],
      ['by objects of a class', new Order(), new Order()],
      ['by functions', never, never],
      ['by symbols', Symbol.iterator, Symbol.iterator],
      ['by what is circular', circular, circular],
      ['by what is huge', 'x'.repeat(20_000), 'x'.repeat(20_000)],
      ['by a map', new Map([[1, 2]]), new Map([[1, 2]])],
      ['by an object whose getter throws', hostile(), hostile()],
      ['by what is below a symbol', { age: { [GREATER]: 1 } }, { age: { [GREATER]: 2 } }],
      ['by an array of a class', of('a', new List()), of('b', new List())],
      ['by a date of a class', of('a', new Day(5)), of('b', new Day(5))],
      ['by an array with properties', of('a', [1]), of('b', [1])],
      ['by a date with properties', of('a', new Date(5)), of('b', new Date(5))],
      ['by what is not enumerable', hidden('a'), hidden('b')],
      ['by what is inherited', inheriting('a'), inheriting('b')],
    ])('but not %s', async (_name, one, other) => {
      expect(await sharing([one], [other])).toBe(2);
    });

    function hostile() {
      return Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('not for you');
        },
      });
    }
  });

  it.each<[string, (id: string) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no key');
      },
    ],
    ['answers a promise that fails', (() => Promise.reject(new Error('late'))) as never],
    ['answers NaN', () => Number.NaN],
    ['answers an empty text', () => ''],
    ['answers nothing', () => undefined],
  ])('are made each where the key %s, which is told once', async (_name, key) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const app = await boot();
    const pipeline = app.pipeline({ name: 'wrong', coalesce: { key: key as () => string } });
    const run = jest.fn(async () => 'answer');
    const answers = await Promise.all([
      pipeline.execute(run, { args: ['a'] }),
      pipeline.execute(run, { args: ['a'] }),
    ]);
    expect(answers).toEqual(['answer', 'answer']);
    expect(run).toHaveBeenCalledTimes(2);
    const warnings = warn.mock.calls.map(([message]) => String(message));
    warn.mockRestore();
    expect(warnings).toEqual([
      expect.stringMatching(/^The key of wrong, by which its calls are coalesced, failed: .*key/),
    ]);
  });

  it('may have numbers and huge texts for keys', async () => {
    const app = await boot();
    const run = jest.fn(flush);
    for (const key of [() => 5, () => 'x'.repeat(20_000)]) {
      const pipeline = app.pipeline({ coalesce: { key } });
      await Promise.all([pipeline.execute(run), pipeline.execute(run)]);
    }
    expect(run).toHaveBeenCalledTimes(2);
  });

  it('are those of one object only, unless a key says otherwise', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Client {
      baseUrl = '';
      made = 0;

      @Coalesce()
      async get(_path: string): Promise<string> {
        this.made++;
        await flush();
        return this.baseUrl;
      }

      @Coalesce({
        key(this: Client, path: string) {
          return `${this.baseUrl} ${path}`;
        },
      })
      async shared(_path: string): Promise<string> {
        this.made++;
        return this.baseUrl;
      }
    }
    const app = await boot({}, [Client]);
    const clients = [
      await app.module.resolve(Client),
      await app.module.resolve(Client),
      await app.module.resolve(Client),
    ];
    const [one, other, third] = clients as [Client, Client, Client];
    one.baseUrl = 'http://one';
    other.baseUrl = 'http://other';
    third.baseUrl = 'http://one';
    expect(await Promise.all(clients.map((client) => client.get('/')))).toEqual([
      'http://one',
      'http://other',
      'http://one',
    ]);
    expect(await Promise.all(clients.map((client) => client.shared('/')))).toEqual([
      'http://one',
      'http://other',
      'http://one',
    ]);
    expect(clients.map(({ made }) => made)).toEqual([2, 2, 1]);
  });

  describe('end each for itself:', () => {
    it('by its own signal, while the others wait on', async () => {
      const app = await boot();
      const source = new Source();
      const pipeline = app.pipeline({ coalesce: { key: () => 'one' } });
      const controller = new AbortController();
      const first = watch(pipeline.execute(source.run as never, { signal: controller.signal }));
      const second = watch(pipeline.execute(source.run as never));
      controller.abort(new Error('changed my mind'));
      await flush();
      expect(first.error).toEqual(new Error('changed my mind'));
      expect(second.state).toBe('pending');
      expect(source.calls[0]?.signal.aborted).toBe(false);
      source.answer.resolve('answer');
      await flush();
      expect(second.value).toBe('answer');
      expect(source.calls).toHaveLength(1);
    });

    it('by a signal among its arguments, in place of which the work has one of all who wait', async () => {
      @Injectable()
      class Files {
        readonly given: (AbortSignal | undefined)[] = [];
        answer = new Deferred<string>();

        @Coalesce()
        async load(_name: string, signal?: AbortSignal): Promise<string> {
          this.given.push(signal);
          return this.answer.promise;
        }
      }
      const app = await boot({}, [Files]);
      const files = app.module.get(Files);
      const callers = [new AbortController(), new AbortController()];
      const calls = callers.map(({ signal }) => watch(files.load('a', signal)));
      callers[0]?.abort(new Error('changed my mind'));
      await flush();
      expect(calls[0]?.error).toEqual(new Error('changed my mind'));
      expect(calls[1]?.state).toBe('pending');
      expect(files.given.map((signal) => signal?.aborted)).toEqual([false]);
      callers[1]?.abort(new Error('so did I'));
      await flush();
      expect(calls[1]?.error).toEqual(new Error('so did I'));
      expect(files.given[0]?.reason).toEqual(new Error('so did I'));
    });

    it('by its own deadline, which is no deadline of the work', async () => {
      const app = await boot();
      const source = new Source();
      const shared = app.pipeline({ name: 'shared', coalesce: { key: () => 'one' } });
      const hurried = app.pipeline({ name: 'hurried', timeoutMs: 100 });
      const patient = app.pipeline({ name: 'patient', timeoutMs: 1_000 });
      const first = watch(hurried.execute(() => shared.execute(source.run as never)));
      const second = watch(patient.execute(() => shared.execute(source.run as never)));
      await elapse(100);
      expect(first.error).toMatchObject({ operation: 'hurried', timeoutMs: 100 });
      expect(source.calls[0]?.signal.aborted).toBe(false);
      source.answer.resolve('answer');
      await flush();
      expect(second.value).toBe('answer');
    });

    it('and the work with the last one, by its reason', async () => {
      const app = await boot();
      const source = new Source();
      const shared = app.pipeline({ name: 'shared', coalesce: { key: () => 'one' } });
      const one = app.pipeline({ name: 'one', timeoutMs: 100 });
      const other = app.pipeline({ name: 'other', timeoutMs: 200 });
      const calls = [one, other].map((each) =>
        watch(each.execute(() => shared.execute(source.run as never))),
      );
      await elapse(199);
      expect(source.calls[0]?.signal.aborted).toBe(false);
      await elapse(1);
      expect(source.calls[0]?.signal.aborted).toBe(true);
      expect(source.calls[0]?.signal.reason).toBe(calls[1]?.error);
      const next = watch(shared.execute(source.run as never));
      await flush();
      expect(source.calls).toHaveLength(2); // what was abandoned is joined by nobody
      source.answer.resolve('answer');
      await flush();
      expect(next.value).toBe('answer');
    });

    it('without being made, where there is no time left', async () => {
      const app = await boot();
      const source = new Source();
      const shared = app.pipeline({ name: 'shared', coalesce: { key: () => 'one' } });
      const gone = AbortSignal.abort(new Error('gone'));
      expect(await failure(shared.execute(source.run as never, { signal: gone }))).toEqual(
        new Error('gone'),
      );
      expect(source.calls).toHaveLength(0);
      source.answer.resolve('answer');
      expect(await shared.execute(source.run as never)).toBe('answer');
    });

    it('nor for work that was abandoned, be it that others wait', async () => {
      const app = await boot();
      const source = new Source();
      const shared = app.pipeline({ name: 'shared', coalesce: { key: () => 'one' } });
      let late: unknown;
      const outer = app.pipeline({
        name: 'outer',
        retry: { maxAttempts: 2, baseDelayMs: 1_000, jitter: 'none' },
        timeoutMs: 100,
      });
      const call = watch(
        outer.execute(async ({ attempt }) => {
          if (attempt > 1) return 'second';
          await new Promise((resolve) => setTimeout(resolve, 150));
          late = await failure(shared.execute(source.run as never));
          return 'first';
        }),
      );
      const waiting = watch(shared.execute(source.run as never));
      await elapse(200);
      expect(late).toMatchObject({ name: 'TimeoutError', operation: 'outer' });
      expect(source.calls).toHaveLength(1);
      source.answer.resolve('answer');
      await elapse(1_000);
      expect([waiting.value, call.value]).toEqual(['answer', 'second']);
    });
  });

  describe('are made by work that', () => {
    it('has the latest deadline and the highest criticality of those who wait when it asks', async () => {
      const app = await boot();
      const seen: Record<string, string>[] = [];
      const shared = app.pipeline({
        name: 'shared',
        coalesce: { key: () => 'one' },
        retry: { maxAttempts: 2, baseDelayMs: 100, jitter: 'none' },
      });
      const work = async () => {
        seen.push(outboundHeaders());
        throw new Error('down');
      };
      const make = (name: string, timeoutMs: number, critical: boolean) => {
        const around = app.pipeline({ name, timeoutMs, critical });
        return watch(around.execute(() => shared.execute(work)));
      };
      const calls = [make('one', 400, false), make('two', 900, true), make('three', 500, false)];
      await elapse(100);
      expect(seen).toMatchObject([
        { 'x-request-timeout-ms': '400', 'x-request-criticality': 'sheddable' },
        { 'x-request-timeout-ms': '800', 'x-request-criticality': 'critical' },
      ]);
      await flush();
      expect(calls.map(({ state }) => state)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    });

    it('is not retried again further out, by any of those who wait', async () => {
      const app = await boot();
      const retry = { maxAttempts: 3, baseDelayMs: 0, jitter: 'none' } as const;
      const shared = app.pipeline({ name: 'shared', retry, coalesce: { key: () => 'one' } });
      const work = jest.fn(() => Promise.reject(new Error('down')));
      const calls = ['one', 'two', 'three'].map((name) =>
        watch(app.pipeline({ name, retry }).execute(() => shared.execute(work))),
      );
      await elapse(50);
      expect(calls.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'rejected']);
      expect(work).toHaveBeenCalledTimes(3);
    });

    it('is not retried again for a result that was retried as far as it goes', async () => {
      const app = await boot();
      const retry = {
        maxAttempts: 3,
        baseDelayMs: 0,
        jitter: 'none',
        retryableResults: (result: unknown) => (result as { ok: boolean }).ok === false,
      } as const;
      const shared = app.pipeline({ name: 'shared', retry, coalesce: { key: () => 'one' } });
      const work = jest.fn(async () => ({ ok: false }));
      const calls = ['one', 'two'].map((name) =>
        watch(app.pipeline({ name, retry }).execute(() => shared.execute(work))),
      );
      await elapse(50);
      expect(calls.map(({ value }) => value)).toEqual([{ ok: false }, { ok: false }]);
      expect(work).toHaveBeenCalledTimes(3);
    });

    it('is a failure for a breaker where every deadline has passed', async () => {
      @Injectable()
      class Slow {
        @Coalesce()
        @CircuitBreaker('slow')
        async read(_id: number): Promise<unknown> {
          return never();
        }

        @Timeout(100)
        async outer(id: number): Promise<unknown> {
          return this.read(id);
        }
      }
      const app = await boot({ breakers: { slow: { failureThreshold: 2 } } }, [Slow]);
      const slow = app.module.get(Slow);
      const calls = [watch(slow.outer(1)), watch(slow.outer(1))];
      await elapse(100);
      expect(calls.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
      expect(app.breakers.get('slow').getSnapshot()).toMatchObject({ failures: 1 });
    });

    it('does not wait for itself where it calls itself', async () => {
      @Injectable()
      class Tree {
        depth = 0;

        @Coalesce({ key: () => 'tree' })
        async walk(): Promise<string> {
          this.depth++;
          return this.depth < 3 ? this.walk() : 'leaf';
        }
      }
      const app = await boot({}, [Tree]);
      const tree = app.module.get(Tree);
      const calls = [watch(tree.walk()), watch(tree.walk())];
      await flush();
      expect(calls.map(({ value }) => value)).toEqual(['leaf', 'leaf']);
      expect(tree.depth).toBe(3);
    });

    it('does not wait for work that waits for itself', async () => {
      @Injectable()
      class Graph {
        readonly started = new Deferred<void>();
        hops = 0;

        @Coalesce()
        async left(id: number): Promise<string> {
          await this.started.promise;
          return this.hops++ < 4 ? this.right(id) : 'leaf';
        }

        @Coalesce()
        async right(id: number): Promise<string> {
          await this.started.promise;
          return this.hops++ < 4 ? this.left(id) : 'leaf';
        }
      }
      const app = await boot({}, [Graph]);
      const graph = app.module.get(Graph);
      const calls = [watch(graph.left(1)), watch(graph.right(1))];
      graph.started.resolve();
      await elapse(1);
      expect(calls.map(({ value }) => value)).toEqual(['leaf', 'leaf']);
    });

    it('goes on without the deadline of a call that it outlives', async () => {
      @Injectable()
      class Warmer {
        attempts = 0;
        warming: Promise<string> | undefined;

        @Coalesce()
        @Retry({ maxAttempts: 3, delayMs: [80] })
        async load(_id: number): Promise<string> {
          if (++this.attempts < 3) throw new Error('not yet');
          return 'warm';
        }

        @Timeout(100)
        async warm(): Promise<void> {
          this.warming = this.load(1);
        }
      }
      const app = await boot({}, [Warmer]);
      const warmer = app.module.get(Warmer);
      await warmer.warm();
      const warming = watch(warmer.warming as Promise<string>);
      await elapse(160);
      expect(warming.value).toBe('warm');
    });

    it('has the slot of a bulkhead that is around the one who began it', async () => {
      const app = await boot({ bulkheads: { one: { maxConcurrent: 1, queueLimit: 5 } } });
      const inner = app.pipeline({ name: 'inner', bulkhead: 'one', coalesce: { key: () => 'k' } });
      const outer = app.pipeline({ name: 'outer', bulkhead: 'one' });
      const call = watch(outer.execute(() => inner.execute(async () => 'answer')));
      await flush();
      expect(call.value).toBe('answer');
    });

    it('runs in the async context of the one who began it', async () => {
      const storage = new AsyncLocalStorage<string>();
      const app = await boot();
      const shared = app.pipeline({ coalesce: { key: () => 'one' } });
      const calls = ['first', 'second'].map((user) =>
        storage.run(user, () => shared.execute(async () => storage.getStore())),
      );
      expect(await Promise.all(calls)).toEqual(['first', 'first']);
    });
  });

  it('are waited for when the application closes', async () => {
    const app = await boot({ shutdown: { graceMs: 5_000 } });
    const source = new Source();
    const shared = app.pipeline({ name: 'shared', coalesce: { key: () => 'one' } });
    const calls = [
      watch(shared.execute(source.run as never)),
      watch(shared.execute(source.run as never)),
    ];
    jest.useRealTimers();
    const closing = app.module.close();
    const closed = watch(closing);
    await new Promise((resolve) => setImmediate(resolve));
    expect(closed.state).toBe('pending');
    source.answer.resolve('answer');
    await closing;
    expect(calls.map(({ value }) => value)).toEqual(['answer', 'answer']);
  });
});
