import { describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { concat, defer, lastValueFrom, Observable, of } from 'rxjs';
import {
  Fallback,
  type Pipeline,
  type ResilienceEvent,
  ResilienceService,
  Retry,
  type RetryOptions,
  Timeout,
  Upstream,
} from '../../lib/index.js';
import { booting, elapse, failure, never, watch } from '../support/resilience-app.js';

const boot = booting();

const NOW = { baseDelayMs: 0, jitter: 'none' } as const;

/** Work that always fails, and how often it was tried. */
function dead(error: () => unknown = () => new Error('dead')) {
  const work = async () => {
    work.calls++;
    throw error();
  };
  work.calls = 0;
  return work;
}

async function settled<T>(promise: Promise<T>) {
  const watched = watch(promise);
  await elapse(1_000);
  expect(watched.state).not.toBe('pending');
  return watched;
}

describe('The retry budget', () => {
  const NONE = { ratio: 0, minRetriesPerSecond: 0 };
  const budgeted = (retry: RetryOptions, upstream?: string) => ({
    retry: { maxAttempts: 2, ...NOW, ...retry },
    ...(upstream !== undefined && { upstream }),
  });

  it('is there by default, one for each upstream, whichever operation calls it', async () => {
    const app = await boot();
    const budgetOf = (name: string, upstream?: string) => {
      app.pipeline({ name, ...budgeted({}, upstream) });
      const description = app.module.get(ResilienceService).describe();
      const retry = description.find(({ operation }) => operation === name)?.stages.retry;
      return (retry as { budget: { name: string } } | undefined)?.budget.name;
    };
    expect(budgetOf('a', 'stock')).toBe('stock');
    expect(budgetOf('b', 'stock')).toBe('stock');
    expect(budgetOf('c')).toBe('c');
  });

  it('that is spent lets the last error out at once, and says so', async () => {
    const app = await boot({ retryBudgets: { stock: NONE } });
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const error = new Error('dead');
    const work = dead(() => error);
    const call = app.pipeline({ name: 'a', ...budgeted({ baseDelayMs: 60_000 }, 'stock') });
    expect(await failure(call.execute(work))).toBe(error);
    expect(work.calls).toBe(1);
    expect(events).toMatchObject([
      { type: 'retry-suppressed', operation: 'a', reason: 'budget', attempt: 1, error },
    ]);
    expect(app.metrics.get('retry.suppressed', { operation: 'a', reason: 'budget' })).toBe(1);
  });

  it('is shared by everybody who calls the upstream, and by nobody else', async () => {
    const app = await boot({ retryBudgets: { stock: { ratio: 0, minRetriesPerSecond: 0.1 } } });
    const [first, second, other] = [dead(), dead(), dead()];
    const calls = { first, second, other };
    for (const [name, upstream] of [
      ['first', 'stock'],
      ['second', 'stock'],
      ['other', 'prices'],
    ] as const) {
      await settled(app.pipeline({ name, ...budgeted({}, upstream) }).execute(calls[name]));
    }
    expect([first.calls, second.calls, other.calls]).toEqual([2, 1, 2]);
  });

  it('is one for all who call an upstream also where nobody has defined it by name', async () => {
    const app = await boot({
      defaults: { retry: { budget: { ratio: 0, minRetriesPerSecond: 0.1 } } },
    });
    const callsOf = async (name: string, upstream: string) => {
      const work = dead();
      await settled(app.pipeline({ name, ...budgeted({}, upstream) }).execute(work));
      return work.calls;
    };
    expect(await callsOf('first', 'stock')).toBe(2);
    expect(await callsOf('second', 'stock')).toBe(1); // the first has spent it
    expect(await callsOf('other', 'prices')).toBe(2);
  });

  it('counts a retry when it is scheduled, not when it is made', async () => {
    const app = await boot({ retryBudgets: { stock: { ratio: 0, minRetriesPerSecond: 0.1 } } });
    const waiting = watch(
      app.pipeline({ name: 'a', ...budgeted({ baseDelayMs: 5_000 }, 'stock') }).execute(dead()),
    );
    const work = dead();
    await settled(app.pipeline({ name: 'b', ...budgeted({}, 'stock') }).execute(work));
    expect(waiting.state).toBe('pending');
    expect(work.calls).toBe(1);
    await elapse(5_000);
  });

  it('bounds what a thousand failing calls add, though each would retry twice', async () => {
    const app = await boot();
    const work = dead();
    const call = app.pipeline({ name: 'a', ...budgeted({ maxAttempts: 3 }, 'stock') });
    await settled(Promise.allSettled(Array.from({ length: 1_000 }, () => call.execute(work))));
    expect(work.calls).toBeGreaterThan(1_000);
    expect(work.calls).toBeLessThanOrEqual(1_000 + 0.2 * 1_000 + 10 * 10);
  });

  it.each([
    ['retried', { retry: { maxAttempts: 2, ...NOW } }],
    ['hedged', { hedge: { delayMs: 10 } }],
  ])('is earned by calls that are %s, at their first attempts', async (_, stages) => {
    const app = await boot({ retryBudgets: { stock: { ratio: 0.2, minRetriesPerSecond: 0 } } });
    const call = app.pipeline({ name: 'a', upstream: 'stock', ...stages });
    const slowAndDead = dead();
    const attempts = async () => {
      slowAndDead.calls = 0;
      const work = async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return slowAndDead();
      };
      await settled(call.execute(work).catch(() => undefined));
      return slowAndDead.calls;
    };
    expect(await attempts()).toBe(1);
    for (let index = 0; index < 4; index++) await call.execute(async () => 'answer');
    expect(await attempts()).toBe(2);
  });

  it('can be one by name, one of an operation’s own, or none', async () => {
    const app = await boot({ retryBudgets: { tight: NONE } });
    const callsWith = async (name: string, retry: RetryOptions) => {
      const work = dead();
      await settled(app.pipeline({ name, ...budgeted(retry, 'tight') }).execute(work));
      return work.calls;
    };
    expect(await callsWith('of the upstream', {})).toBe(1);
    expect(await callsWith('by name', { budget: 'tight' })).toBe(1);
    expect(await callsWith('own', { budget: { minRetriesPerSecond: 1 } })).toBe(2);
    expect(await callsWith('none', { budget: false })).toBe(2);
  });

  it('takes its options from `defaults` where nobody names one', async () => {
    const app = await boot({ defaults: { retry: { budget: NONE } } });
    const work = dead();
    await settled(app.pipeline({ name: 'a', ...budgeted({}, 'stock') }).execute(work));
    expect(work.calls).toBe(1);
  });

  it('that is not there fails the boot, naming the known ones', async () => {
    @Injectable()
    class Service {
      @Retry({ budget: 'tigth' })
      async run(): Promise<void> {}
    }
    await expect(boot({ retryBudgets: { tight: {} } }, [Service])).rejects.toThrow(
      'Service.run @Retry().budget: there is no retry budget "tigth"; known: tight',
    );
  });

  it('that is not there fails the boot also where no operation asks for it yet', async () => {
    const retry = { budget: 'tigth' };
    const there = { retryBudgets: { tight: {} } };
    const unknown = 'there is no retry budget "tigth"; known: tight';
    await expect(boot({ ...there, retries: { fast: retry } })).rejects.toThrow(
      `retries.fast.budget: ${unknown}`,
    );
    await expect(boot({ ...there, defaults: { retry } })).rejects.toThrow(
      `defaults.retry.budget: ${unknown}`,
    );
  });

  it('belongs to one application', async () => {
    const options = { retryBudgets: { stock: { ratio: 0, minRetriesPerSecond: 0.1 } } };
    for (const app of [await boot(options), await boot(options)]) {
      const work = dead();
      await settled(app.pipeline({ name: 'a', ...budgeted({}, 'stock') }).execute(work));
      expect(work.calls).toBe(2);
    }
  });
});

describe('What a call inside has retried until it gave up', () => {
  const THREE = { maxAttempts: 3, ...NOW };

  /** `outer` calls `middle` calls `inner`, which calls the work. */
  async function layers(
    work: () => Promise<unknown>,
    wrap: (call: () => Promise<unknown>) => Promise<unknown> = (call) => call(),
    retry: RetryOptions = {},
  ) {
    const app = await boot();
    const options = { ...THREE, ...retry };
    const [outer, middle, inner] = ['outer', 'middle', 'inner'].map((name) =>
      app.pipeline({ name, retry: options }),
    );
    const events: ResilienceEvent[] = [];
    app.events.events$.subscribe((event) => events.push(event));
    const call = () =>
      outer?.execute(() =>
        wrap(async () => middle?.execute(() => wrap(async () => inner?.execute(work)))),
      );
    return { outcome: await settled(Promise.resolve(call())), events };
  }

  it('is not retried again further out, through any depth: 3 × 3 × 3 make 3', async () => {
    const error = new Error('dead');
    const work = dead(() => error);
    const { outcome, events } = await layers(work);
    expect(work.calls).toBe(3);
    expect(outcome.error).toBe(error);
    expect(events.filter(({ type }) => type === 'retry-suppressed')).toMatchObject([
      { operation: 'middle', reason: 'nested' },
      { operation: 'outer', reason: 'nested' },
    ]);
  });

  it('is told by its cause where it was wrapped', async () => {
    const work = dead();
    await layers(work, async (call) => {
      try {
        return await call();
      } catch (cause) {
        throw new Error('wrapped', { cause: new Error('twice', { cause }) });
      }
    });
    expect(work.calls).toBe(3);
  });

  it('is told across Promise.all and Promise.any', async () => {
    const work = dead();
    await layers(work, (call) => Promise.all([call(), 1]));
    expect(work.calls).toBe(3);
    const another = dead();
    await layers(another, (call) => Promise.any([call()]));
    expect(another.calls).toBe(3);
  });

  it('is told also where it is no object', async () => {
    const work = dead(() => 'dead');
    await layers(work);
    expect(work.calls).toBe(3);
  });

  it('is retried with `retryNested`: 3 × 3 × 3 make 27', async () => {
    const work = dead();
    await layers(work, undefined, { retryNested: true });
    expect(work.calls).toBe(27);
  });

  it('passes on as such through operations that do not retry, and through decorated methods', async () => {
    const work = dead();
    @Injectable()
    class Service {
      @Retry(THREE)
      async outer(): Promise<unknown> {
        return this.middle();
      }
      @Timeout(1_000)
      async middle(): Promise<unknown> {
        await null;
        return this.inner();
      }
      @Retry(THREE)
      @Upstream('stock')
      async inner(): Promise<unknown> {
        return work();
      }
    }
    const app = await boot({}, [Service]);
    await settled(app.module.get(Service).outer());
    expect(work.calls).toBe(3);
  });

  it('is so when the budget refused the retry, too', async () => {
    const app = await boot({ retryBudgets: { stock: { ratio: 0, minRetriesPerSecond: 0 } } });
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE, upstream: 'stock' });
    const work = dead();
    await settled(outer.execute(() => inner.execute(work)));
    expect(work.calls).toBe(1);
  });

  it('is not what a call inside has tried once only', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const work = dead();
    for (const options of [{}, { retry: { ...THREE, retryableErrors: () => false } }]) {
      work.calls = 0;
      const inner = app.pipeline({ name: `inner ${Object.keys(options)}`, ...options });
      await settled(outer.execute(() => inner.execute(work)));
      expect(work.calls).toBe(3);
    }
  });

  it('does not speak for what fails later with the same error object', async () => {
    const error = new Error('dead');
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE });
    await settled(outer.execute(() => inner.execute(dead(() => error))));
    const work = dead(() => error);
    await settled(outer.execute(work));
    expect(work.calls).toBe(3);
  });

  it('is told where only one of two attempts, made side by side, ran into it', async () => {
    const app = await boot();
    const inner = app.pipeline({ name: 'inner', retry: { ...THREE, baseDelayMs: 10 } });
    const outer = app.pipeline({ name: 'outer', retry: THREE, hedge: { delayMs: 5 } });
    const work = dead();
    let begun = 0;
    const call = outer.execute(async () => {
      if (++begun % 2 === 0) return inner.execute(work); // the hedge, which fails last
      await new Promise((resolve) => setTimeout(resolve, 6));
      throw new Error('something else');
    });
    await settled(call);
    expect([begun, work.calls]).toEqual([2, 3]);
  });

  it('does not keep a failure of the outer operation’s own from being retried', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE });
    const work = dead();
    let own = 0;
    await settled(
      outer.execute(async () => {
        await inner.execute(work).catch(() => undefined);
        own++;
        throw new Error('something else');
      }),
    );
    expect([own, work.calls]).toEqual([3, 9]);
  });

  it('does not keep a constant from being retried that the outer operation throws later by itself', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE });
    for (const constant of [new Error('unavailable'), 'unavailable', undefined]) {
      const work = dead(() => constant as Error);
      let own = 0;
      await settled(
        outer.execute(async () => {
          await inner.execute(work).catch(() => undefined);
          await new Promise((resolve) => setTimeout(resolve, 10)); // it goes on with something else
          own++;
          throw constant;
        }),
      );
      expect([own, work.calls]).toEqual([3, 9]);
      const passed = dead(() => constant as Error);
      await settled(outer.execute(async () => Promise.all([inner.execute(passed)])));
      expect(passed.calls).toBe(3);
    }
  });

  it('knows a constant also behind a call that passes it on', async () => {
    const app = await boot();
    const [outer, middle, inner] = ['outer', 'middle', 'inner'].map((name) =>
      app.pipeline({ name, retry: THREE }),
    ) as [Pipeline, Pipeline, Pipeline];
    const constant = new Error('unavailable');
    const work = dead(() => constant);
    const passing = async () => middle.execute(async () => await inner.execute(work));
    await settled(outer.execute(() => Promise.all([passing()])));
    expect(work.calls).toBe(3);
    work.calls = 0;
    let own = 0;
    await settled(
      outer.execute(async () => {
        await passing().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 10)); // it goes on with something else
        own++;
        throw constant;
      }),
    );
    expect([own, work.calls]).toEqual([3, 9]);
  });

  it('speaks for an error that is passed on late, where it was made for that failure', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE });
    const work = dead();
    await settled(
      outer.execute(async () => {
        try {
          await inner.execute(work);
        } catch (error) {
          await new Promise((resolve) => setTimeout(resolve, 10)); // cleans up
          throw error;
        }
      }),
    );
    expect(work.calls).toBe(3);
  });

  it('does not keep a timeout of the outer operation’s own from being retried', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', timeoutMs: 50, retry: THREE });
    const inner = app.pipeline({ name: 'inner', retry: THREE });
    let calls = 0;
    await settled(
      outer.execute(() =>
        inner.execute(async () => {
          if (++calls % 2 === 0) return never(); // cut in the middle of its second attempt
          throw new Error('dead');
        }),
      ),
    );
    expect(calls).toBe(6);
  });

  it('is told where it ends a stream that has begun, or a generator', async () => {
    const work = dead();
    @Injectable()
    class Service {
      @Retry(THREE)
      async ofStream(): Promise<unknown> {
        return lastValueFrom(this.stream());
      }
      @Retry(THREE)
      stream(): Observable<unknown> {
        return concat(
          of(1),
          defer(() => this.inner()),
        );
      }
      @Retry(THREE)
      async ofGenerator(): Promise<void> {
        for await (const _ of this.generator());
      }
      @Retry(THREE)
      async *generator(): AsyncGenerator<unknown> {
        yield 1;
        yield await this.inner();
      }
      @Retry(THREE)
      async inner(): Promise<unknown> {
        return work();
      }
    }
    const app = await boot({}, [Service]);
    await settled(app.module.get(Service).ofStream());
    expect(work.calls).toBe(3);
    await settled(app.module.get(Service).ofGenerator());
    expect(work.calls).toBe(6);
  });

  it('is seen through a fallback that fails in turn', async () => {
    const work = dead();
    @Injectable()
    class Service {
      @Retry(THREE)
      async outer(): Promise<unknown> {
        return this.inner();
      }
      @Retry(THREE)
      @Fallback('instead')
      async inner(): Promise<unknown> {
        return work();
      }
      async instead(): Promise<unknown> {
        throw new Error('that as well');
      }
    }
    const app = await boot({}, [Service]);
    await settled(app.module.get(Service).outer());
    expect(work.calls).toBe(3);
  });
});
