import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, Logger, Scope } from '@nestjs/common';
import { from, lastValueFrom, Observable, of, throwError, toArray } from 'rxjs';
import {
  Chaos,
  Critical,
  Fallback,
  ResilienceConfigurationError,
  type ResilienceEvent,
  ResilienceService,
  Retry,
  type ServiceOptions,
  Timeout,
} from '../../lib/index.js';
import { booting, elapse, failure, flush, never, watch } from '../support/resilience-app.js';

const DOWN = new Error('down');

/** What a method answers next: an error is thrown. */
class Answers {
  next: unknown = 'unset';
  calls = 0;

  readonly take = async (): Promise<unknown> => {
    this.calls++;
    if (this.next instanceof Error) throw this.next;
    return this.next;
  };
}

@Injectable()
class Catalogue extends Answers {
  @Fallback({ lastGood: { maxAgeMs: 1_000 } })
  async find(_id: unknown): Promise<unknown> {
    return this.take();
  }

  @Fallback({ handler: 'empty', lastGood: { maxAgeMs: 1_000 } })
  async list(_page: number): Promise<unknown> {
    return this.take();
  }

  async empty(page: number, error: unknown): Promise<unknown> {
    return { page, error };
  }
}

describe('The last good value', () => {
  const boot = booting();
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const catalogue = async () => {
    const app = await boot({}, [Catalogue]);
    return { app, service: app.module.get(Catalogue) };
  };
  const pipeline = async (options: ServiceOptions) => (await boot()).pipeline(options);
  const kept = { fallback: { lastGood: { maxAgeMs: 1_000, key: () => 'one' } } };

  it('is given when a call with equal arguments fails', async () => {
    const { service } = await catalogue();
    service.next = { name: 'seven' };
    expect(await service.find(7)).toEqual({ name: 'seven' });
    service.next = DOWN;
    expect(await service.find(7)).toEqual({ name: 'seven' });
    expect(await failure(service.find(8))).toBe(DOWN);
  });

  it('is the latest one', async () => {
    const { service } = await catalogue();
    for (service.next of ['first', 'second']) await service.find(7);
    service.next = DOWN;
    expect(await service.find(7)).toBe('second');
  });

  it('is given for as long as it may, and not a millisecond longer', async () => {
    const { service } = await catalogue();
    service.next = 'good';
    await service.find(7);
    service.next = DOWN;
    await elapse(1_000);
    expect(await service.find(7)).toBe('good');
    await elapse(1);
    expect(await failure(service.find(7))).toBe(DOWN);
  });

  it('does not stay good by being given', async () => {
    const { service } = await catalogue();
    service.next = 'good';
    await service.find(7);
    service.next = DOWN;
    await elapse(600);
    expect(await service.find(7)).toBe('good');
    await elapse(600);
    expect(await failure(service.find(7))).toBe(DOWN);
  });

  it('comes before the handler, which answers where there is none', async () => {
    const { service } = await catalogue();
    service.next = DOWN;
    expect(await service.list(1)).toEqual({ page: 1, error: DOWN });
    service.next = 'good';
    await service.list(1);
    service.next = DOWN;
    expect(await service.list(1)).toBe('good');
    expect(await service.list(2)).toEqual({ page: 2, error: DOWN });
    await elapse(1_001);
    expect(await service.list(1)).toEqual({ page: 1, error: DOWN });
  });

  it('is a fallback in metrics and events, with its age', async () => {
    const { service, app } = await catalogue();
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    service.next = 'good';
    await service.find(7);
    await elapse(300);
    service.next = DOWN;
    await service.find(7);
    await service.list(1);
    expect(events).toMatchObject([
      { type: 'fallback', operation: 'Catalogue.find', error: DOWN, succeeded: true, ageMs: 300 },
      { type: 'fallback', operation: 'Catalogue.list', error: DOWN, succeeded: true },
    ]);
    expect(events[1]).not.toHaveProperty('ageMs');
    const outcome = { operation: 'Catalogue.find', outcome: 'fallback' };
    expect(app.metrics.get('requests.total', outcome)).toBe(1);
    const described = app.module.get(ResilienceService).describe();
    expect(described.map(({ stages }) => stages.fallback)).toEqual([
      { lastGood: { maxAgeMs: 1_000, maxEntries: 1_000, by: 'arguments' } },
      { handler: 'empty', lastGood: { maxAgeMs: 1_000, maxEntries: 1_000, by: 'arguments' } },
    ]);
  });

  it('is not what a fallback, a degradation or a client error has answered', async () => {
    @Injectable()
    class Client extends Answers {
      @Fallback({ handler: (error) => ({ error }), lastGood: { maxAgeMs: 1_000 } })
      async find(_id: number): Promise<unknown> {
        return this.take();
      }

      @Critical(false)
      @Fallback({ lastGood: { maxAgeMs: 1_000 } })
      async optional(_id: number): Promise<unknown> {
        return this.take();
      }
    }
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    client.next = DOWN;
    expect(await client.find(1)).toEqual({ error: DOWN });
    expect(await client.optional(1)).toBeNull();
    const other = new Error('down again');
    client.next = other;
    expect(await client.find(1)).toEqual({ error: other });
    client.next = 'good';
    await client.optional(1);
    client.next = DOWN;
    expect(await client.optional(1)).toBe('good');
    const missing = Object.assign(new Error('missing'), { status: 404 });
    client.next = missing;
    expect(await failure(client.optional(1))).toBe(missing); // which is an answer
  });

  it('is given for the failures that `when` says, and for results that `whenResult` says', async () => {
    const limited = await pipeline({
      retry: { maxAttempts: 2, baseDelayMs: 0, retryableResults: (result) => result === 'bad' },
      fallback: {
        when: (error) => error === DOWN,
        whenResult: (result) => result === 'bad',
        lastGood: { maxAgeMs: 1_000, key: () => 'one' },
      },
    });
    const answers = new Answers();
    const call = async () => {
      const answer = watch(limited.execute(answers.take));
      await elapse(10);
      return answer;
    };
    answers.next = 'bad';
    expect((await call()).value).toBe('bad'); // there is nothing better
    answers.next = 'good';
    await call();
    for (answers.next of ['bad', DOWN, 'bad']) expect((await call()).value).toBe('good');
    const other = new Error('other');
    answers.next = other;
    expect((await call()).error).toBe(other);
  });

  it('is given after retries, a timeout and a total timeout too', async () => {
    @Injectable()
    class Slow extends Answers {
      @Retry({ maxAttempts: 3, baseDelayMs: 0 })
      @Timeout({ attemptMs: 50, totalMs: 120 })
      @Fallback({ lastGood: { maxAgeMs: 1_000 } })
      async find(_id: number): Promise<unknown> {
        const answer = await this.take();
        return answer === 'hang' ? never() : answer;
      }
    }
    const app = await boot({}, [Slow]);
    const slow = app.module.get(Slow);
    slow.next = 'good';
    await slow.find(1);
    slow.next = 'hang';
    const call = watch(slow.find(1));
    await elapse(119);
    expect(call.state).toBe('pending');
    await elapse(1);
    expect(call.value).toBe('good');
    expect(slow.calls).toBe(4);
  });

  describe('is a copy', () => {
    it('that callers can change as they like', async () => {
      const { service } = await catalogue();
      service.next = { list: [{ price: 1 }] };
      const first = (await service.find(7)) as { list: { price: number }[] };
      first.list.push({ price: 2 });
      service.next = DOWN;
      const given = (await service.find(7)) as { list: { price: number }[] };
      expect(given).toEqual({ list: [{ price: 1 }] });
      (given.list[0] as { price: number }).price = 99;
      expect(await service.find(7)).toEqual({ list: [{ price: 1 }] });
    });

    it.each<[string, unknown]>([
      ['nothing', undefined],
      ['null', null],
      ['a text', 'text'],
      ['a large whole number', 5n],
      ['a date', new Date(5)],
      ['a map with a set', new Map([['a', new Set([1, { b: 2 }])]])],
      ['a buffer', Buffer.from('abc')],
      ['a typed array', new Float64Array([1, 2])],
      ['an array with holes', [1, undefined, [null]]],
      ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
      ['a key that is called __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
    ])('of %s', async (_name, value) => {
      const { service } = await catalogue();
      service.next = value;
      await service.find(7);
      service.next = DOWN;
      const given = await service.find(7);
      expect(given).toStrictEqual(value);
      if (typeof value === 'object' && value !== null) expect(given).not.toBe(value);
    });

    it('of the elements of arrays, and of what objects have by texts', async () => {
      const { service } = await catalogue();
      service.next = [Object.assign(['row'], { meta: 1 }), { id: 1, [Symbol('marked')]: 1 }];
      await service.find(7);
      service.next = DOWN;
      expect(await service.find(7)).toStrictEqual([['row'], { id: 1 }]);
    });

    class Entity {
      id = 1;
    }
    class Rows extends Array {}
    const circular: Record<string, unknown> = {};
    circular.self = circular;

    it.each<[string, unknown]>([
      ['an object of a class', new Entity()],
      ['one inside of plain data', { list: [new Entity()] }],
      ['an array of a class', new Rows()],
      ['a Response', new Response('body')],
      ['a function', () => 1],
      ['what is circular', circular],
      ['what is huge', Array.from({ length: 100_001 }, () => 0)],
      [
        'an object whose getter throws',
        Object.defineProperty({}, 'x', {
          enumerable: true,
          get: () => {
            throw new Error('not for you');
          },
        }),
      ],
    ])(
      'and of %s there is none, which is told once; the call has its answer',
      async (_name, value) => {
        const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
        const { service } = await catalogue();
        service.next = 'good';
        await service.find(7);
        service.next = value;
        expect(await service.find(7)).toBe(value);
        expect(await service.find(7)).toBe(value);
        service.next = DOWN;
        expect(await failure(service.find(7))).toBe(DOWN); // what was there is outdated
        expect(warn.mock.calls.map(([message]) => message)).toEqual([
          expect.stringMatching(/^Keeping the last successes of Catalogue\.find failed: /),
        ]);
      },
    );
  });

  describe("is never another one's", () => {
    it('by other arguments, by another object, or by what the method has made of its arguments', async () => {
      @Injectable({ scope: Scope.TRANSIENT })
      class Client extends Answers {
        @Fallback({ lastGood: { maxAgeMs: 1_000 } })
        async search(filter: { tenant?: string; text: string }): Promise<unknown> {
          delete filter.tenant;
          return this.take();
        }
      }
      const app = await boot({}, [Client]);
      const one = await app.module.resolve(Client);
      const other = await app.module.resolve(Client);
      one.next = 'of one';
      await one.search({ tenant: 'a', text: 'x' });
      one.next = DOWN;
      other.next = DOWN;
      expect(await failure(one.search({ tenant: 'b', text: 'x' }))).toBe(DOWN);
      expect(await failure(one.search({ text: 'x' }))).toBe(DOWN);
      expect(await failure(other.search({ tenant: 'a', text: 'x' }))).toBe(DOWN);
      expect(await one.search({ tenant: 'a', text: 'x' })).toBe('of one');
    });

    it('by arguments that are different ones but look the same', async () => {
      const { service } = await catalogue();
      const others = ['7', [7], ['7'], '\x001,7', '"1:7', '[7,]', 0, '', null, 'null', true, 'NaN'];
      for (service.next of others) await service.find(service.next);
      service.next = DOWN;
      expect(await failure(service.find(7))).toBe(DOWN);
      expect(await failure(service.find(-0))).toBe(DOWN);
      expect(await failure(service.find(Number.NaN))).toBe(DOWN);
      for (const each of others) expect(await service.find(each)).toEqual(each);
    });

    it('but not by what was left out', async () => {
      const { service } = await catalogue();
      const find = service.find as (...args: unknown[]) => Promise<unknown>;
      service.next = 'seven';
      await find.call(service, 7);
      service.next = DOWN;
      expect(await find.call(service, 7, undefined)).toBe('seven');
    });

    it('and a key decides alone where there is one', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class Profile {
        user = '';
        static next: unknown;

        @Fallback({
          lastGood: {
            maxAgeMs: 1_000,
            key(this: Profile) {
              return this.user;
            },
          },
        })
        async read(): Promise<unknown> {
          if (Profile.next instanceof Error) throw Profile.next;
          return Profile.next;
        }
      }
      const app = await boot({}, [Profile]);
      const of = async (user: string) => Object.assign(await app.module.resolve(Profile), { user });
      Profile.next = "ann's";
      await (await of('ann')).read();
      Profile.next = DOWN;
      expect(await (await of('ann')).read()).toBe("ann's");
      expect(await failure((await of('bob')).read())).toBe(DOWN);
    });

    it.each<[string, ServiceOptions['fallback']]>([
      ['a bundle without a key', { lastGood: { maxAgeMs: 5 } }],
    ])('so boot refuses %s', async (_name, fallback) => {
      const refused = await failure(boot({ services: { partner: { fallback } as never } }));
      expect(refused).toBeInstanceOf(ResilienceConfigurationError);
      expect((refused as Error).message).toContain(
        'services.partner.fallback.lastGood: is of calls without arguments that would tell one from another; name what makes two calls equal',
      );
    });

    it('so boot refuses a request-scoped provider and a method without arguments, without a key', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class Scoped {
        @Fallback({ lastGood: { maxAgeMs: 5 } })
        async find(_id: number): Promise<void> {}
      }
      @Injectable()
      class Bare {
        @Fallback({ lastGood: { maxAgeMs: 5 } })
        async list(): Promise<void> {}
      }
      expect(((await failure(boot({}, [Scoped]))) as Error).message).toContain(
        'Scoped.find @Fallback().lastGood: is of a request-scoped provider',
      );
      expect(((await failure(boot({}, [Bare]))) as Error).message).toContain(
        'Bare.list @Fallback().lastGood: is of calls without arguments',
      );
    });
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('no key');
      },
    ],
    ['answers a promise that fails', () => Promise.reject(new Error('late'))],
    ['answers NaN', () => Number.NaN],
    ['answers an empty text', () => ''],
  ])('is neither kept nor given where the key %s, which is told once', async (_name, key) => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const limited = await pipeline({
      name: 'wrong',
      fallback: { lastGood: { maxAgeMs: 5, key: key as () => string } },
    } as ServiceOptions);
    expect(await limited.execute(async () => 'good')).toBe('good');
    expect(await failure(limited.execute(() => Promise.reject(DOWN)))).toBe(DOWN);
    expect(warn.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(/^The key of wrong, by which its last successes are kept, failed: /),
    ]);
  });

  it('is kept of so many arguments, of which those go first that were not used for longest', async () => {
    const limited = await pipeline({
      fallback: { lastGood: { maxAgeMs: 1_000, maxEntries: 2, key: (id: string) => id } },
    });
    const succeed = (id: string) => limited.execute(async () => `good ${id}`, { args: [id] });
    const fail = (id: string) => limited.execute(() => Promise.reject(DOWN), { args: [id] });
    await succeed('a');
    await succeed('b');
    expect(await fail('a')).toBe('good a');
    await succeed('c');
    expect(await failure(fail('b'))).toBe(DOWN);
    expect(await fail('a')).toBe('good a');
    expect(await fail('c')).toBe('good c');
    expect(jest.getTimerCount()).toBe(0);
  });

  describe('is not what chaos injected', () => {
    @Injectable()
    class Faked extends Answers {
      @Fallback({ lastGood: { maxAgeMs: 1_000 } })
      async promise(_id: number): Promise<unknown> {
        return this.take();
      }

      @Fallback({ lastGood: { maxAgeMs: 1_000 } })
      stream(_id: number): Observable<unknown> {
        return from(this.take());
      }

      @Fallback({ lastGood: { maxAgeMs: 1_000 } })
      async *values(_id: number): AsyncGenerator<unknown, void, unknown> {
        yield await this.take();
      }
    }

    it.each<[string, (faked: Faked) => Promise<unknown>]>([
      ['of a Promise', (faked) => faked.promise(1)],
      ['of an Observable', (faked) => lastValueFrom(faked.stream(1))],
      [
        'of an async generator',
        async (faked) => {
          let last: unknown;
          for await (const value of faked.values(1)) last = value;
          return last;
        },
      ],
    ])('%s', async (_name, call) => {
      const app = await boot({ chaos: {} }, [Faked]);
      const faked = app.module.get(Faked);
      faked.next = 'good';
      await call(faked);
      const id = app.module.get(Chaos).add({ operations: 'Faked.*', result: 'fake' });
      expect(await call(faked)).toBe('fake');
      app.module.get(Chaos).remove(id);
      faked.next = DOWN;
      expect(await call(faked)).toBe('good');
    });
  });

  it('of a call whose caller has given up is not given', async () => {
    const limited = await pipeline(kept);
    await limited.execute(async () => 'good');
    const controller = new AbortController();
    const call = watch(limited.execute(never, { signal: controller.signal }));
    controller.abort(DOWN);
    await flush();
    expect(call.error).toBe(DOWN);
  });

  describe('of a stream', () => {
    it('is all that it gave to its end, as an Observable', async () => {
      @Injectable()
      class Prices {
        next = new Observable<unknown>();

        @Fallback({ lastGood: { maxAgeMs: 1_000 } })
        prices(_symbol: string): Observable<unknown> {
          return this.next;
        }
      }
      const app = await boot({}, [Prices]);
      const prices = app.module.get(Prices);
      const read = () => lastValueFrom(prices.prices('A').pipe(toArray()));
      const value = { price: 1 };
      prices.next = from([value, 2]);
      expect(await read()).toEqual([{ price: 1 }, 2]);
      value.price = 99;
      prices.next = throwError(() => DOWN);
      expect(await read()).toEqual([{ price: 1 }, 2]);
      prices.next = from([]);
      expect(await read()).toEqual([]);
      prices.next = throwError(() => DOWN);
      expect(await read()).toEqual([]);
    });

    it('is none of one that has failed or was left amid its values, or has very many', async () => {
      const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
      const limited = await pipeline(kept);
      const read = (source: Observable<number>) =>
        lastValueFrom(limited.observe(() => source).pipe(toArray()));
      const broken = from(
        (function* () {
          yield 1;
          throw DOWN;
        })(),
      );
      expect(await failure(read(broken))).toBe(DOWN);
      limited
        .observe(() => new Promise<number>((resolve) => resolve(1)))
        .subscribe()
        .unsubscribe();
      expect(await failure(read(throwError(() => DOWN)))).toBe(DOWN);
      await read(from(Array.from({ length: 1_001 }, (_, index) => index)));
      expect(await failure(read(throwError(() => DOWN)))).toBe(DOWN);
      expect(warn).toHaveBeenCalledTimes(1);
    });

    it('is none of a promise that has the same key, and the other way round', async () => {
      const app = await boot();
      const pipeline = app.pipeline({
        fallback: { lastGood: { maxAgeMs: 1_000, key: () => 'one' } },
      });
      const observe = (source: () => Observable<string>) =>
        lastValueFrom(pipeline.observe(source).pipe(toArray()));
      await pipeline.execute(async () => 'promised');
      expect(await failure(observe(() => throwError(() => DOWN)))).toBe(DOWN);
      await observe(() => of('streamed'));
      expect(await pipeline.execute(() => Promise.reject(DOWN))).toBe('promised');
      expect(await observe(() => throwError(() => DOWN))).toEqual(['streamed']);
    });

    it('is all that an async generator gave and returned', async () => {
      @Injectable()
      class Rows {
        fails = false;

        @Fallback({ lastGood: { maxAgeMs: 1_000 } })
        async *rows(count: number): AsyncGenerator<number, string, unknown> {
          if (this.fails) throw DOWN;
          for (let row = 1; row <= count; row++) yield row;
          return 'all';
        }
      }
      const app = await boot({}, [Rows]);
      const rows = app.module.get(Rows);
      const read = async (values: AsyncGenerator<number, string, unknown>) => {
        const all: unknown[] = [];
        for (;;) {
          const step = await values.next();
          all.push(step.value);
          if (step.done) return all;
        }
      };
      expect(await read(rows.rows(2))).toEqual([1, 2, 'all']);
      const left = rows.rows(3);
      await left.next();
      await left.return('enough');
      const sent = rows.rows(4);
      await sent.next();
      await sent.next('something');
      await read(sent);
      rows.fails = true;
      expect(await read(rows.rows(2))).toEqual([1, 2, 'all']);
      expect(await failure(read(rows.rows(3)))).toBe(DOWN);
      expect(await failure(read(rows.rows(4)))).toBe(DOWN);
    });
  });

  it('of a class is merged with the handler of a method', async () => {
    @Fallback({ lastGood: { maxAgeMs: 1_000 } })
    @Injectable()
    class Client extends Answers {
      async find(_id: number): Promise<unknown> {
        return this.take();
      }

      @Fallback(() => 'nothing')
      async handled(_id: number): Promise<unknown> {
        return this.take();
      }
    }
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    client.next = DOWN;
    expect(await client.handled(1)).toBe('nothing');
    client.next = 'good';
    await Promise.all([client.find(1), client.handled(1)]);
    client.next = DOWN;
    expect([await client.find(1), await client.handled(1)]).toEqual(['good', 'good']);
  });

  it.each<[string, unknown, string]>([
    ['no age', {}, '.lastGood.maxAgeMs: is missing; allowed: a number of milliseconds above 0'],
    ['an age of 0', { maxAgeMs: 0 }, '.lastGood.maxAgeMs: is 0'],
    ['no room', { maxAgeMs: 5, maxEntries: 0 }, '.lastGood.maxEntries: is 0'],
    ['an async key', { maxAgeMs: 5, key: async () => 'k' }, '.lastGood.key: is '],
    ['an unknown option', { maxAgeMs: 5, ttl: 5 }, '.lastGood.ttl: there is no such option'],
    ['a number', 5, '.lastGood: is 5; allowed: an object with maxAgeMs, maxEntries, key'],
  ])('is refused at boot with %s', async (_name, lastGood, message) => {
    @Injectable()
    class Client {
      @Fallback({ lastGood: lastGood as never })
      async find(_id: number): Promise<void> {}
    }
    const refused = await failure(boot({}, [Client]));
    expect(refused).toBeInstanceOf(ResilienceConfigurationError);
    expect((refused as Error).message).toContain(`Client.find @Fallback()${message}`);
  });

  it('is refused at boot where there is neither that nor a handler', async () => {
    @Injectable()
    class Client {
      @Fallback({ when: () => true } as never)
      async find(_id: number): Promise<void> {}
    }
    expect(((await failure(boot({}, [Client]))) as Error).message).toContain(
      'Client.find @Fallback(): has neither a handler nor lastGood; allowed: the name of one of its methods',
    );
  });
});
