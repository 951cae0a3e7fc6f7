import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Observable, of, range, Subject, take, throwError } from 'rxjs';
import { Coalesce, currentSignal, Retry, Timeout } from '../../lib/index.js';
import { booting, elapse, flush, watch } from '../support/resilience-app.js';

/** Lets everything go on until something is so, and not for ever. */
async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20_000 && !isSo(); turn++) await flush();
}

/** What a subscriber has got. */
function collect<T>(stream: Observable<T>) {
  const got: unknown[] = [];
  const subscription = stream.subscribe({
    next: (value) => got.push(value),
    error: (error) => got.push({ error }),
    complete: () => got.push('end'),
  });
  return { got, leave: () => subscription.unsubscribe() };
}

@Injectable()
class Prices {
  subscriptions = 0;
  teardowns = 0;
  signals: AbortSignal[] = [];
  source = new Subject<number>();
  synchronous: Observable<number> | undefined;

  @Coalesce()
  watch(_symbol: string): Observable<number> {
    return new Observable((subscriber) => {
      this.subscriptions++;
      this.signals.push(currentSignal());
      const inner = (this.synchronous ?? this.source).subscribe(subscriber);
      return () => {
        this.teardowns++;
        inner.unsubscribe();
      };
    });
  }

  @Coalesce()
  @Retry({ maxAttempts: 3, baseDelayMs: 0 })
  retried(_symbol: string): Observable<number> {
    return new Observable((subscriber) => {
      this.subscriptions++;
      subscriber.error(new Error('down'));
    });
  }

  @Timeout(100)
  @Retry({ maxAttempts: 3, baseDelayMs: 0 })
  hurried(symbol: string): Observable<number> {
    return this.watch(symbol);
  }
}

describe('Equal streams', () => {
  const boot = booting();
  const prices = async () => (await boot({}, [Prices])).module.get(Prices);

  it('share one subscription, joined until the first value', async () => {
    const service = await prices();
    const one = collect(service.watch('A'));
    const other = collect(service.watch('A'));
    const unlike = collect(service.watch('B'));
    expect(service.subscriptions).toBe(2);
    service.source.next(1);
    const late = collect(service.watch('A'));
    expect(service.subscriptions).toBe(3);
    service.source.next(2);
    service.source.complete();
    expect([one.got, other.got, unlike.got]).toEqual(Array(3).fill([1, 2, 'end']));
    expect(late.got).toEqual([2, 'end']);
    expect(service.teardowns).toBe(3);
  });

  it('are made when they are subscribed to, each time', async () => {
    const service = await prices();
    const stream = service.watch('A');
    expect(service.subscriptions).toBe(0);
    service.synchronous = of(1);
    expect([collect(stream).got, collect(stream).got]).toEqual([
      [1, 'end'],
      [1, 'end'],
    ]);
    expect(service.subscriptions).toBe(2);
  });

  it('go on while anybody listens, and are torn down when nobody does', async () => {
    const service = await prices();
    const one = collect(service.watch('A'));
    const other = collect(service.watch('A'));
    one.leave();
    service.source.next(1);
    expect([one.got, other.got]).toEqual([[], [1]]);
    expect(service.teardowns).toBe(0);
    other.leave();
    expect(service.teardowns).toBe(1);
    expect(service.signals[0]?.aborted).toBe(true);
    const next = collect(service.watch('A'));
    service.source.next(2);
    expect(next.got).toEqual([2]);
  });

  it('are cut for one by its deadline, and go on for the others', async () => {
    const service = await prices();
    const hurried = collect(service.hurried('A'));
    const patient = collect(service.watch('A'));
    await elapse(350);
    expect(hurried.got).toMatchObject([{ error: { timeoutMs: 100 } }]);
    service.source.next(1);
    expect(patient.got).toEqual([1]);
    expect(service.subscriptions).toBe(1);
  });

  it('end alike for all by an error, which was retried for all', async () => {
    const service = await prices();
    const all = [collect(service.retried('A')), collect(service.retried('A'))];
    await elapse(50);
    expect(all.map(({ got }) => got)).toMatchObject(
      Array(2).fill([{ error: { message: 'down' } }]),
    );
    expect(service.subscriptions).toBe(3);
  });

  it('are not retried again further out, where they were retried until they gave up', async () => {
    const app = await boot();
    const retry = { maxAttempts: 3, baseDelayMs: 0, jitter: 'none' } as const;
    const shared = app.pipeline({ name: 'shared', retry, coalesce: { key: () => 'one' } });
    const source = jest.fn(() => throwError(() => new Error('down')));
    const all = ['one', 'two'].map((name) =>
      collect(app.pipeline({ name, retry }).observe(() => shared.observe(source))),
    );
    await elapse(50);
    expect(all.map(({ got }) => got)).toMatchObject(Array(2).fill([{ error: {} }]));
    expect(source).toHaveBeenCalledTimes(3);
  });

  it('that emit at once stop where nobody wants more', async () => {
    const service = await prices();
    let emitted = 0;
    service.synchronous = new Observable((subscriber) => {
      while (!subscriber.closed && emitted < 1_000) subscriber.next(++emitted);
    });
    expect(collect(service.watch('A').pipe(take(2))).got).toEqual([1, 2, 'end']);
    expect(emitted).toBeLessThan(5);
    service.synchronous = range(1, 3);
    expect(collect(service.watch('A')).got).toEqual([1, 2, 3, 'end']);
  });

  it('of pipelines are shared too', async () => {
    const app = await boot();
    const source = new Subject<number>();
    const subscribed = jest.fn(() => source);
    const pipeline = app.pipeline({ coalesce: { key: (id: string) => id } });
    const all = ['a', 'a', 'b'].map((id) => collect(pipeline.observe(subscribed, { args: [id] })));
    source.next(1);
    expect(all.map(({ got }) => got)).toEqual([[1], [1], [1]]);
    expect(subscribed).toHaveBeenCalledTimes(2);
    for (const { leave } of all) leave();
  });

  it('of pipelines are not shared with equal promises', async () => {
    const app = await boot();
    const pipeline = app.pipeline({ coalesce: { key: () => 'one' } });
    const promised = [1, 2].map(() => watch(pipeline.execute(async () => 'promise')));
    const streamed = [1, 2].map(() => collect(pipeline.observe(() => of('value'))));
    await flush();
    expect(promised.map(({ value }) => value)).toEqual(['promise', 'promise']);
    expect(streamed.map(({ got }) => got)).toEqual(Array(2).fill(['value', 'end']));
  });

  it('end for one by its own signal only', async () => {
    const app = await boot();
    const source = new Subject<number>();
    const pipeline = app.pipeline({ coalesce: { key: () => 'one' } });
    const controller = new AbortController();
    const one = collect(pipeline.observe(() => source, { signal: controller.signal }));
    const other = collect(pipeline.observe(() => source));
    controller.abort('enough');
    source.next(1);
    source.complete();
    expect(one.got).toEqual([{ error: 'enough' }]);
    expect(other.got).toEqual([1, 'end']);
  });

  it('are heard in the async context of the one who listens', async () => {
    const app = await boot();
    const users = new AsyncLocalStorage<string>();
    const source = new Subject<number>();
    const pipeline = app.pipeline({ coalesce: { key: () => 'one' } });
    const heard: string[] = [];
    const hear = () => heard.push(users.getStore() ?? 'nobody');
    for (const user of ['ann', 'bob'])
      users.run(user, () =>
        pipeline.observe(() => source).subscribe({ next: hear, complete: hear }),
      );
    users.run('carl', () => source.next(1));
    source.complete();
    expect(heard).toEqual(['ann', 'bob', 'ann', 'bob']);
  });
});

@Injectable()
class Rows {
  begun = 0;
  given = 0;
  closed = 0;
  fails = false;

  @Coalesce()
  async *rows(count: number): AsyncGenerator<number, string, unknown> {
    this.begun++;
    try {
      for (let row = 1; row <= count; row++) {
        await flush();
        this.given++;
        yield row;
      }
      if (this.fails) throw new Error('broken off');
      return 'all';
    } finally {
      this.closed++;
    }
  }

  @Timeout(100)
  async first(count: number): Promise<unknown> {
    return (await this.rows(count).next()).value;
  }
}

async function read(values: AsyncIterable<number>): Promise<number[]> {
  const all: number[] = [];
  for await (const value of values) all.push(value);
  return all;
}

describe('Equal async generators', () => {
  const boot = booting();
  const rows = async () => (await boot({}, [Rows])).module.get(Rows);

  it('share one, joined until its first value, each at its own pace', async () => {
    const service = await rows();
    const [one, other] = [service.rows(3), service.rows(3)];
    expect(await Promise.all([one.next(), other.next()])).toEqual(
      Array(2).fill({ value: 1, done: false }),
    );
    expect(await read(one)).toEqual([2, 3]);
    const late = service.rows(3);
    expect(await late.next()).toEqual({ value: 1, done: false });
    expect(service.begun).toBe(2);
    expect(await read(other)).toEqual([2, 3]);
    expect(await read(late)).toEqual([2, 3]);
    expect(service.closed).toBe(2);
  });

  it('run in the async context of the one who began them, whoever asks for a value', async () => {
    const users = new AsyncLocalStorage<string>();
    @Injectable()
    class Pages {
      @Coalesce()
      async *pages(_of: string): AsyncGenerator<string | undefined> {
        for (;;) yield users.getStore();
      }
    }
    const service = (await boot({}, [Pages])).module.get(Pages);
    const [ann, bob] = [service.pages('a'), service.pages('a')];
    const next = async (user: string, pages: typeof ann) =>
      (await users.run(user, () => pages.next())).value;
    expect(await Promise.all([next('ann', ann), next('bob', bob)])).toEqual(['ann', 'ann']);
    expect(await next('bob', bob)).toBe('ann');
    expect(await next('ann', ann)).toBe('ann');
    await Promise.all([ann.return(undefined), bob.return(undefined)]);
  });

  it('end for one by a signal among its arguments only', async () => {
    @Injectable()
    class Feeds {
      @Coalesce()
      async *feed(_of: string, signal?: AbortSignal): AsyncGenerator<boolean | undefined> {
        for (;;) yield signal?.aborted;
      }
    }
    const service = (await boot({}, [Feeds])).module.get(Feeds);
    const gone = new AbortController();
    const one = service.feed('a', gone.signal);
    const other = service.feed('a', new AbortController().signal);
    await Promise.all([one.next(), other.next()]);
    gone.abort(new Error('enough'));
    await expect(one.next()).rejects.toThrow('enough');
    expect(await other.next()).toEqual({ value: false, done: false });
    await other.return(undefined);
  });

  it('return alike, and throw alike', async () => {
    const service = await rows();
    const all = [service.rows(1), service.rows(1)];
    await Promise.all(all.map((each) => each.next()));
    expect(await Promise.all(all.map((each) => each.next()))).toEqual(
      Array(2).fill({ value: 'all', done: true }),
    );
    service.fails = true;
    const failing = [service.rows(2), service.rows(2)].map((each) => watch(read(each)));
    await until(() => failing.every(({ state }) => state !== 'pending'));
    expect(failing.map(({ error }) => error)).toEqual(Array(2).fill(new Error('broken off')));
    expect(service.begun).toBe(2);
  });

  it('go on while anybody reads, and are closed when nobody does', async () => {
    const service = await rows();
    const [one, other] = [service.rows(9), service.rows(9)];
    await Promise.all([one.next(), other.next()]);
    expect(await one.return('enough')).toEqual({ value: 'enough', done: true });
    expect(service.closed).toBe(0);
    expect(await other.next()).toEqual({ value: 2, done: false });
    const thrown = new Error('mine');
    await expect(other.throw(thrown)).rejects.toBe(thrown);
    await elapse(1);
    expect(service.closed).toBe(1);
  });

  it('let who reads fast be a thousand values ahead of who reads slowly, and no more', async () => {
    const service = await rows();
    const [fast, slow] = [service.rows(3_000), service.rows(3_000)];
    await Promise.all([fast.next(), slow.next()]);
    const all = watch(read(fast));
    await elapse(10);
    for (let turn = 0; turn < 50; turn++) await flush();
    await until(() => service.given >= 1_001);
    for (let turn = 0; turn < 50; turn++) await flush();
    expect(service.given).toBe(1_001);
    await slow.next();
    for (let turn = 0; turn < 50; turn++) await flush();
    expect(service.given).toBe(1_002);
    expect(all.state).toBe('pending');
    await slow.return('enough');
    await until(() => all.state !== 'pending');
    expect(all.value).toHaveLength(2_999);
  });

  it('are cut for one by its deadline, and go on for the others', async () => {
    @Injectable()
    class Slow {
      given = 0;
      @Coalesce()
      async *rows(_id: number): AsyncGenerator<number, void, unknown> {
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield ++this.given;
      }

      @Timeout(100)
      async hurried(id: number): Promise<number> {
        for await (const row of this.rows(id)) return row;
        return 0;
      }
    }
    const service = (await boot({}, [Slow])).module.get(Slow);
    const hurried = watch(service.hurried(1));
    const patient = watch(read(service.rows(1) as AsyncIterable<number>));
    await elapse(300);
    expect(hurried.error).toMatchObject({ timeoutMs: 100 });
    expect(patient.value).toEqual([1]);
    expect(service.given).toBe(1);
  });
});
