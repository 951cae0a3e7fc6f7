import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { firstValueFrom, Observable } from 'rxjs';
import {
  Bulkhead,
  type BulkheadOptions,
  type BulkheadPolicy,
  detached,
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

const boot = booting();

type Through = <T>(fn: () => Promise<T>) => Promise<T>;

/** Levels through one bulkhead, each by itself or in a pipeline. */
async function levels(kinds: readonly string[], options: BulkheadOptions = {}) {
  const app = await boot({
    bulkheads: { db: { maxConcurrent: 1, queueLimit: 0, ...options } },
  });
  const bulkhead = app.bulkheads.get('db');
  const through = kinds.map((kind, level): Through => {
    if (kind === 'alone') return (fn) => bulkhead.execute(fn);
    const pipeline = app.pipeline({ name: `level ${level}`, bulkhead: 'db' });
    return (fn) => pipeline.execute(fn);
  });
  return { app, bulkhead, through: through as [Through, Through, Through] };
}

const answering = async () => 'answer';
const idle = (bulkhead: BulkheadPolicy) =>
  expect(bulkhead.getSnapshot()).toMatchObject({ running: 0, queued: 0 });

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe.each([
  ['alone', 'alone', 'alone'],
  ['alone', 'pipeline', 'alone'],
  ['pipeline', 'alone', 'pipeline'],
  ['pipeline', 'pipeline', 'pipeline'],
])('a call inside a call through the same bulkhead (%s, %s, %s)', (...kinds) => {
  it('runs in the slot of the one around it where there is no other', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, inner] = through;
    expect(await outer(() => inner(answering))).toBe('answer');
    idle(bulkhead);
    expect(await outer(answering)).toBe('answer'); // later callers too
  });

  it('does so also after the one around it has waited for something else', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, inner] = through;
    const call = outer(async () => {
      await elapse(10);
      return inner(answering);
    });
    expect(await call).toBe('answer');
    idle(bulkhead);
  });

  it('goes three levels deep', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, middle, inner] = through;
    expect(await outer(() => middle(() => inner(answering)))).toBe('answer');
    idle(bulkhead);
  });

  it('takes a slot of its own where one is free', async () => {
    const { bulkhead, through } = await levels(kinds, { maxConcurrent: 2 });
    const [outer, inner] = through;
    const work = new Deferred();
    const call = outer(() => inner(() => work.promise));
    await flush();
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 2, queued: 0 });
    work.resolve('answer');
    await call;
    idle(bulkhead);
  });

  it('borrows whosever call it is inside of, where two have all slots', async () => {
    const { bulkhead, through } = await levels(kinds, { maxConcurrent: 2 });
    const [outer, inner] = through;
    const both = [1, 2].map(() =>
      outer(async () => {
        await elapse(10);
        return inner(answering);
      }),
    );
    expect(await Promise.all(both)).toEqual(['answer', 'answer']);
    idle(bulkhead);
  });

  it('waits for the borrowed slot where another one inside has it, though there is no queue', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, inner] = through;
    const works = [new Deferred<string>(), new Deferred<string>(), new Deferred<string>()];
    let running = 0;
    const call = outer(() =>
      Promise.all(
        works.map(({ promise }) =>
          inner(() => {
            running++;
            return promise;
          }),
        ),
      ),
    );
    for (const [done, work] of works.entries()) {
      await flush();
      expect(running).toBe(done + 1); // one at a time, in their order
      work.resolve(`${done}`);
    }
    expect(await call).toEqual(['0', '1', '2']);
    idle(bulkhead);
  });

  it('that waits gets a slot of its own, where one becomes free first', async () => {
    const { bulkhead, through } = await levels(kinds, { maxConcurrent: 2 });
    const [outer, inner] = through;
    const [other, first] = [new Deferred(), new Deferred()];
    const elsewhere = bulkhead.execute(() => other.promise);
    const second = jest.fn(answering);
    const call = outer(() => Promise.all([inner(() => first.promise), inner(second)]));
    await flush();
    expect(second).not.toHaveBeenCalled();
    other.resolve('done');
    await flush();
    expect(second).toHaveBeenCalledTimes(1);
    first.resolve('done');
    await Promise.all([call, elsewhere]);
    idle(bulkhead);
  });

  it('keeps the slot where it outlives the one around it, and no other call takes its place', async () => {
    const { bulkhead, through } = await levels(kinds, { queueLimit: 10 });
    const [outer, inner] = through;
    const work = new Deferred();
    let late: Promise<unknown> | undefined;
    await outer(async () => {
      late = inner(() => work.promise);
      return 'not waited for';
    });
    const next = jest.fn(answering);
    const waiting = outer(next);
    await flush();
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 1, queued: 1 });
    expect(next).not.toHaveBeenCalled();
    work.resolve('done');
    await late;
    await waiting;
    idle(bulkhead);
  });

  it('gives the slot back to the one around it, and not to those who wait', async () => {
    const { bulkhead, through } = await levels(kinds, { queueLimit: 10 });
    const [outer, inner] = through;
    const work = new Deferred<string>();
    const call = outer(async () => {
      await inner(answering);
      await inner(answering);
      return work.promise;
    });
    const next = jest.fn(answering);
    const waiting = outer(next);
    await flush();
    expect(bulkhead.getSnapshot()).toMatchObject({ running: 1, queued: 1 });
    expect(next).not.toHaveBeenCalled();
    work.resolve('done');
    await call;
    await waiting;
    idle(bulkhead);
  });

  it('gives back what it has borrowed also when it fails, at once or later', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, inner] = through;
    const error = new Error('failed');
    const thrower = () => {
      throw error;
    };
    expect(await failure(outer(() => inner(thrower)))).toBe(error);
    expect(await failure(outer(() => inner(() => Promise.reject(error))))).toBe(error);
    expect(await outer(() => inner(thrower).catch(() => inner(answering)))).toBe('answer');
    idle(bulkhead);
  });

  it('is counted as one of those that run only where it has a slot of its own', async () => {
    const { bulkhead, through } = await levels(kinds);
    const [outer, inner] = through;
    const seen: number[] = [];
    await outer(() => inner(async () => seen.push(bulkhead.getSnapshot().running)));
    expect(seen).toEqual([1]);
  });
});

describe('calls inside calls through one bulkhead', () => {
  it('do not borrow of calls that they are not inside of', async () => {
    const { bulkhead } = await levels(['alone', 'alone']);
    void bulkhead.execute(never);
    expect(await failure(bulkhead.execute(answering))).toMatchObject({ reason: 'full' });
  });

  it.each(['alone', 'pipeline'])(
    'borrow the slot around also where they are detached (%s), as long as they run',
    async (kind) => {
      const { bulkhead, through } = await levels([kind, kind]);
      const [outer, inner] = through;
      expect(await outer(() => detached(() => detached(() => inner(answering))))).toBe('answer');
      idle(bulkhead);
      const shared = new Deferred();
      let late: Promise<unknown> | undefined;
      await outer(async () => {
        late = detached(() => inner(() => shared.promise));
      });
      expect(await failure(outer(answering))).toMatchObject({ reason: 'full' });
      shared.resolve('shared');
      expect(await late).toBe('shared');
      idle(bulkhead);
    },
  );

  it('borrow the slot around also where a fallback makes them', async () => {
    const { app, bulkhead } = await levels(['alone']);
    const failing = app.pipeline({ fallback: () => bulkhead.execute(answering) });
    const call = bulkhead.execute(() => failing.execute(() => Promise.reject(new Error('down'))));
    expect(await call).toBe('answer');
    idle(bulkhead);
  });

  it('borrow nothing of a call that holds no slot, or one of another bulkhead', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone']);
    void bulkhead.execute(never);
    for (const options of [{ timeoutMs: 100 }, { bulkhead: { maxConcurrent: 1 } }]) {
      const around = app.pipeline({ name: JSON.stringify(options), ...options });
      const call = around.execute(() => bulkhead.execute(answering));
      expect(await failure(call)).toMatchObject({ reason: 'full' });
    }
  });

  it('borrow nothing of a call that has ended, whose slot another one has', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone']);
    const pipeline = app.pipeline({ bulkhead: 'db' });
    const later = new Deferred<void>();
    let late: Promise<unknown> | undefined;
    await pipeline.execute(async () => {
      late = failure(later.promise.then(() => pipeline.execute(answering)));
    });
    void bulkhead.execute(never);
    later.resolve();
    expect(await late).toMatchObject({ reason: 'full' });
  });

  it('find the slot of abandoned work, which goes on after its call has been answered', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone']);
    let late: unknown;
    const call = failure(
      app.pipeline({ bulkhead: 'db', timeoutMs: 100 }).execute(async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        late = await bulkhead.execute(answering).catch((error: unknown) => error);
      }),
    );
    await elapse(100);
    expect(await call).toMatchObject({ code: 'TIMEOUT' });
    await nextTurn(); // the abandoned work is history then
    await elapse(200);
    await flush();
    expect(bulkhead.getSnapshot().queued).toBe(0);
    expect(late).toBe('answer');
    idle(bulkhead);
  });

  it('are not timed in a lent slot: they are a part of the run that has lent it', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone'], { queueLimit: 10 });
    const long = () => new Promise((resolve) => setTimeout(resolve, 1_000));
    const runs = bulkhead.execute(() =>
      Promise.all(Array.from({ length: 6 }, () => bulkhead.execute(long))),
    );
    await elapse(6_000);
    await runs;
    const work = new Deferred<string>();
    const running = bulkhead.execute(() => work.promise);
    const hurried = app.pipeline({ name: 'hurried', bulkhead: 'db', timeoutMs: 100 });
    const call = hurried.execute(answering); // as nobody knows yet how long a run takes
    work.resolve('done');
    expect(await call).toBe('answer');
    await running;
    idle(bulkhead);
  });

  it('time out while they wait for a slot that is lent, and leave no trace', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone']);
    const inner = app.pipeline({ name: 'inner', bulkhead: 'db', timeoutMs: 100 });
    const first = new Deferred();
    const second = jest.fn(answering);
    const call = bulkhead.execute(() =>
      Promise.all([bulkhead.execute(() => first.promise), failure(inner.execute(second))]),
    );
    await elapse(100);
    first.resolve('done');
    expect(await call).toEqual(['done', expect.objectContaining({ code: 'TIMEOUT' })]);
    expect(second).not.toHaveBeenCalled();
    idle(bulkhead);
  });

  it('are given a free slot in the order of how much they matter, and the borrowed one at once', async () => {
    const { app, bulkhead } = await levels(['alone', 'alone'], { queueLimit: 10 });
    const critical = app.pipeline({ name: 'critical', bulkhead: 'db', critical: true });
    const order: string[] = [];
    const note = (name: string) => async () => void order.push(name);
    const work = new Deferred();
    const outer = bulkhead.execute(async () => {
      await work.promise;
      await bulkhead.execute(note('inside'));
    });
    const urgent = critical.execute(note('critical'));
    work.resolve('go on');
    await Promise.all([outer, urgent]);
    expect(order).toEqual(['inside', 'critical']);
  });

  it('take their turn among all others where they wait longer than the one around them', async () => {
    const { bulkhead } = await levels(['alone', 'alone'], { queueLimit: 10 });
    const order: string[] = [];
    const note = (name: string) => async () => void order.push(name);
    const [work, first] = [new Deferred(), new Deferred()];
    const left: Promise<unknown>[] = [];
    const outer = bulkhead.execute(async () => {
      await work.promise;
      left.push(
        bulkhead.execute(() => first.promise),
        bulkhead.execute(note('left behind')),
      );
    });
    left.push(bulkhead.execute(note('who came before')));
    work.resolve('go on');
    await outer;
    first.resolve('done');
    await Promise.all(left);
    expect(order).toEqual(['who came before', 'left behind']);
    idle(bulkhead);
  });

  it('run one after another by the thousand', async () => {
    jest.useRealTimers();
    const { bulkhead } = await levels(['alone', 'alone']);
    let ran = 0;
    await bulkhead.execute(() =>
      Promise.all(Array.from({ length: 2_000 }, () => bulkhead.execute(async () => ran++))),
    );
    expect(ran).toBe(2_000);
    idle(bulkhead);
  });

  @Injectable()
  class Tree {
    @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
    @Timeout(1_000)
    async depth(levels: number): Promise<number> {
      return levels === 0 ? 0 : 1 + (await this.depth(levels - 1));
    }

    @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
    values(levels: number): Observable<number> {
      return new Observable((subscriber) => {
        if (levels === 0) subscriber.next(0);
        else return this.values(levels - 1).subscribe(subscriber);
        return undefined;
      });
    }

    @Bulkhead({ maxConcurrent: 1, queueLimit: 0 })
    async *walk(levels: number): AsyncGenerator<number> {
      yield levels;
      if (levels > 0) yield* this.walk(levels - 1);
    }
  }

  it('are a decorated method that calls itself by `this`: a promise, a stream, a generator', async () => {
    const app = await boot({}, [Tree]);
    const tree = app.module.get(Tree);
    expect(await tree.depth(5)).toBe(5);
    expect(await firstValueFrom(tree.values(5))).toBe(0);
    const walked: number[] = [];
    for await (const level of tree.walk(3)) walked.push(level);
    expect(walked).toEqual([3, 2, 1, 0]);
    for (const bulkhead of app.bulkheads.list()) idle(bulkhead);
    expect(watch(tree.depth(1)).state).toBe('pending');
    await flush();
  });
});

describe('A method that alone uses a bulkhead', () => {
  it('and comes to itself in a roundabout way, is never kept waiting for what only it can free', async () => {
    for (const maxConcurrent of [1, 2, 3]) {
      let deepest = 0;
      class Tree {
        @Bulkhead({ maxConcurrent, queueLimit: 100 })
        async walk(depth: number): Promise<number> {
          await pause();
          deepest = Math.max(deepest, depth);
          return depth === 0 ? 0 : this.children(depth - 1);
        }
        private async children(depth: number): Promise<number> {
          const all = await Promise.all([this.walk(depth), this.walk(depth)]);
          return Math.max(...all) + 1;
        }
      }
      const pause = () => new Promise((resolve) => setTimeout(resolve, 1));
      const app = await boot({}, [Tree]);
      const tree = app.module.get(Tree);
      const walks = Promise.all(Array.from({ length: 4 }, () => tree.walk(3)));
      await elapse(1_000);
      await expect(walks).resolves.toEqual([3, 3, 3, 3]);
      expect(app.bulkheads.get('Tree.walk').getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    }
  });
});
