import { describe, expect, it, jest } from '@jest/globals';
import { Injectable, Scope } from '@nestjs/common';
import { defer, lastValueFrom, type Observable, of } from 'rxjs';
import {
  currentAttempt,
  currentSignal,
  detached,
  ResilienceService,
  Retry,
  type RetryOptions,
  type ServiceOptions,
  Timeout,
  type UpcomingAttempt,
} from '../../lib/index.js';
import { booting, elapse, flush, never, watch } from '../support/resilience-app.js';

const boot = booting();
const ERROR = new Error('down');
const RETRY = { delayMs: [10] };

async function pipelineFor(retry: RetryOptions, options: ServiceOptions = {}) {
  const app = await boot();
  return {
    app,
    pipeline: app.pipeline({ name: 'load', ...options, retry: { ...RETRY, ...retry } }),
  };
}

describe('What runs before retries', () => {
  it('runs after the wait and before the attempt, with what that one is', async () => {
    const log: unknown[] = [];
    const { pipeline } = await pipelineFor({
      maxAttempts: 3,
      beforeRetry: async ({ attempt, error, signal }) => {
        log.push(['before', attempt, (error as Error).message, signal.aborted]);
        await new Promise((resolve) => setTimeout(resolve, 5));
        log.push('prepared');
      },
    });
    let calls = 0;
    const result = watch(
      pipeline.execute(async () => {
        log.push(['attempt', ++calls]);
        if (calls < 3) throw new Error(`down ${calls}`);
        return 'up';
      }),
    );
    await elapse(9);
    expect(log).toEqual([['attempt', 1]]);
    await elapse(1);
    expect(log.at(-1)).toEqual(['before', 2, 'down 1', false]);
    await elapse(20);
    expect(result.value).toBe('up');
    expect(log.slice(2)).toEqual([
      'prepared',
      ['attempt', 2],
      ['before', 3, 'down 2', false],
      'prepared',
      ['attempt', 3],
    ]);
  });

  it('does not run where no attempt follows', async () => {
    const beforeRetry = jest.fn();
    const { pipeline } = await pipelineFor({ maxAttempts: 2, beforeRetry });
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.error).toBe(ERROR);
    expect(beforeRetry).toHaveBeenCalledTimes(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no token');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no token'))],
  ])(
    'ends the call where it %s, with what the attempt failed by as its cause',
    async (_, beforeRetry) => {
      const { app, pipeline } = await pipelineFor({ beforeRetry });
      const method = jest.fn(() => Promise.reject(ERROR));
      const result = watch(pipeline.execute(method));
      await elapse(10);
      expect(result.error).toMatchObject({ message: 'no token', cause: ERROR });
      expect(method).toHaveBeenCalledTimes(1);
      expect(app.tracker.getMetrics().total).toBe(1);
    },
  );

  it('hands what it throws to the fallback', async () => {
    const fallback = jest.fn((error: unknown) => (error as Error).message);
    const beforeRetry = () => Promise.reject(new Error('no token'));
    const { pipeline } = await pipelineFor({ beforeRetry }, { fallback });
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.value).toBe('no token');
  });

  it('is refused an Observable, which would never run', async () => {
    const { pipeline } = await pipelineFor({ beforeRetry: () => of(1) });
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.error).toMatchObject({
      name: 'ResilienceConfigurationError',
      message: expect.stringContaining('.beforeRetry: returned an Observable'),
    });
  });

  it('that hangs is cut by the caller that gives up, and its signal tells it', async () => {
    let seen: AbortSignal[] = [];
    const { pipeline } = await pipelineFor({
      beforeRetry: ({ signal }) => {
        seen = [signal, currentSignal()];
        return never();
      },
    });
    const caller = new AbortController();
    const method = jest.fn(() => Promise.reject(ERROR));
    const result = watch(pipeline.execute(method, { signal: caller.signal }));
    await elapse(10);
    expect(seen.map(({ aborted }) => aborted)).toEqual([false, false]);
    caller.abort('gone');
    await flush();
    expect(result.error).toBe('gone');
    expect(seen.map(({ reason }) => reason)).toEqual(['gone', 'gone']);
    expect(method).toHaveBeenCalledTimes(1);
  });

  it('that hangs is cut by the deadline of the call around', async () => {
    const { app, pipeline } = await pipelineFor({ beforeRetry: never });
    const outer = app.pipeline({ name: 'outer', timeoutMs: 50 });
    const result = watch(outer.execute(() => pipeline.execute(() => Promise.reject(ERROR))));
    await elapse(50);
    expect(result.error).toMatchObject({ name: 'TimeoutError', timeoutMs: 50 });
  });

  it('that hangs is cut by the total time of the call, and its signal tells it', async () => {
    let signal: AbortSignal | undefined;
    const { pipeline } = await pipelineFor(
      {
        beforeRetry: (retry) => {
          signal = retry.signal;
          return never();
        },
      },
      { totalTimeoutMs: 50 },
    );
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(50);
    expect(result.error).toMatchObject({ name: 'TimeoutError', timeoutMs: 50 });
    expect(signal?.reason).toBe(result.error);
  });

  it('that hangs is cut by the end of the application', async () => {
    const { app, pipeline } = await pipelineFor({ beforeRetry: never });
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.state).toBe('pending');
    await app.close();
    expect(result.error).toBe(ERROR);
  });

  it('drops what it throws after it was cut', async () => {
    const { pipeline } = await pipelineFor({
      beforeRetry: ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new Error('late'))),
        ),
    });
    const caller = new AbortController();
    const result = watch(pipeline.execute(() => Promise.reject(ERROR), { signal: caller.signal }));
    await elapse(10);
    caller.abort('gone');
    await flush();
    expect(result.error).toBe('gone');
  });

  it('sees a result that counts as a failure, which is freed after it', async () => {
    const cancel = jest.fn(() => undefined);
    const seen: unknown[] = [];
    const { pipeline } = await pipelineFor({
      maxAttempts: 2,
      retryableResults: ({ status }: Response) => status === 401,
      beforeRetry: ({ error }) => {
        seen.push((error as { result: Response }).result.status, cancel.mock.calls.length);
      },
    });
    const answers = [
      new Response(new ReadableStream({ cancel }), { status: 401 }),
      new Response('fine'),
    ];
    const result = watch(pipeline.execute(async () => answers.shift() as Response));
    await elapse(10);
    expect(result.value?.status).toBe(200);
    expect(seen).toEqual([401, 0]);
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  it('that takes too long for another attempt to begin ends the call by what that failed by', async () => {
    const method = jest.fn(() => Promise.reject(ERROR));
    const { pipeline } = await pipelineFor({
      maxDurationMs: 50,
      beforeRetry: () => new Promise((resolve) => setTimeout(resolve, 40)),
    });
    const result = watch(pipeline.execute(method));
    await elapse(50);
    expect(result.error).toBe(ERROR);
    expect(method).toHaveBeenCalledTimes(1);
  });

  it('ends with the subscriber who leaves a stream', async () => {
    let signal: AbortSignal | undefined;
    const { pipeline } = await pipelineFor({
      beforeRetry: (retry) => {
        signal = retry.signal;
        return never();
      },
    });
    const subscription = pipeline
      .observe(() =>
        defer(() => {
          throw ERROR;
        }),
      )
      .subscribe({ error: () => undefined });
    await elapse(10);
    expect(signal?.aborted).toBe(false);
    subscription.unsubscribe();
    await flush();
    expect(signal?.aborted).toBe(true);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    ['as it is', <T>(fn: () => T) => fn()],
    ['detached', detached],
  ])('may call its own operation, which is not retried then: %s', async (_, way) => {
    const { pipeline } = await pipelineFor({
      beforeRetry: () => way(() => pipeline.execute(() => call('refresh'))),
    });
    const calls: string[] = [];
    const call = (name: string) => {
      calls.push(name);
      return Promise.reject(new Error(name));
    };
    const result = watch(pipeline.execute(() => call('order')));
    await elapse(10_000);
    expect(calls).toEqual(['order', 'refresh']);
    expect(result.error).toMatchObject({ message: 'refresh', cause: { message: 'order' } });
  });

  it('runs for bundles', async () => {
    const beforeRetry = jest.fn();
    const app = await boot({
      services: { load: { retry: { ...RETRY, maxAttempts: 2, beforeRetry } } },
    });
    const service = app.module.get(ResilienceService);
    const result = watch(service.execute('load', () => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.error).toBe(ERROR);
    expect(beforeRetry).toHaveBeenCalledTimes(1);
  });
});

describe('A method that runs before retries', () => {
  const clientOf = (scope: Scope) => {
    @Injectable({ scope })
    class Client {
      token = 'old';
      refreshed = 0;

      @Retry({ ...RETRY, beforeRetry: 'refresh' })
      async promise(): Promise<string> {
        return this.answer();
      }

      @Retry({ ...RETRY, beforeRetry: 'refresh' })
      stream(): Observable<string> {
        return defer(() => of(this.answer()));
      }

      @Retry({ ...RETRY, beforeRetry: 'refresh' })
      async *values(): AsyncGenerator<string> {
        yield this.answer();
      }

      @Retry({
        ...RETRY,
        beforeRetry(this: Client, retry: UpcomingAttempt) {
          return this.refresh(retry);
        },
      })
      async byFunction(): Promise<string> {
        return this.answer();
      }

      async refresh({ attempt }: UpcomingAttempt): Promise<void> {
        this.refreshed++;
        this.token = `new ${attempt}`;
      }

      private answer(): string {
        if (this.token === 'old') throw ERROR;
        return this.token;
      }
    }
    return Client;
  };
  type Client = InstanceType<ReturnType<typeof clientOf>>;
  const calls: Record<string, (client: Client) => Promise<unknown>> = {
    'a Promise': (client) => client.promise(),
    'an Observable': (client) => lastValueFrom(client.stream()),
    'an async generator': async (client) => (await client.values().next()).value,
    'a Promise, by a function with this,': (client) => client.byFunction(),
  };

  it.each(
    Object.keys(calls).flatMap((kind) =>
      [Scope.DEFAULT, Scope.REQUEST, Scope.TRANSIENT].map((scope) => [kind, scope] as const),
    ),
  )('works for %s, on the object that was called, in scope %p', async (kind, scope) => {
    const Client = clientOf(scope);
    const app = await boot({}, [Client]);
    jest.useRealTimers();
    const client =
      scope === Scope.DEFAULT ? app.module.get(Client) : await app.module.resolve(Client);
    jest.useFakeTimers();
    const result = watch(calls[kind]?.(client) as Promise<unknown>);
    await elapse(10);
    expect(result.value).toBe('new 2');
    expect(client.refreshed).toBe(1);
  });

  it('may have decorators of its own', async () => {
    @Injectable()
    class Client {
      @Retry({ ...RETRY, beforeRetry: 'refresh' })
      async load(): Promise<string> {
        throw ERROR;
      }

      @Timeout(20)
      async refresh(): Promise<void> {
        return never();
      }
    }
    const app = await boot({}, [Client]);
    const result = watch(app.module.get(Client).load());
    await elapse(30);
    expect(result.error).toMatchObject({ name: 'TimeoutError', timeoutMs: 20, cause: ERROR });
  });

  it.each([
    [
      'refesh',
      /Client\.load @Retry\(\)\.beforeRetry: Client has no method "refesh"; allowed: the name of/,
    ],
    [
      'load',
      /Client\.load @Retry\(\)\.beforeRetry: is "load", the method itself; allowed: the name of/,
    ],
    ['toString', /Client has no method "toString"/],
    ['token', /Client has no method "token"/],
    [
      '',
      /Client\.load @Retry\(\)\.beforeRetry: is ""; allowed: the name of a method of the same class, or a function/,
    ],
    [1, /Client\.load @Retry\(\)\.beforeRetry: is 1; allowed: the name of a method/],
    [null, /Client\.load @Retry\(\)\.beforeRetry: is null; allowed: the name of a method/],
  ])('is checked at boot: %p is none', async (beforeRetry, message) => {
    @Injectable()
    class Client {
      token = '';

      @(Retry({ beforeRetry } as object) as MethodDecorator)
      async load(): Promise<void> {}
    }
    await expect(boot({}, [Client])).rejects.toThrow(message);
  });

  it('is checked also where options with a name say it', async () => {
    @Injectable()
    class Client {
      @Retry('api')
      async load(): Promise<void> {}
    }
    const retries = { api: { beforeRetry: 'refresh' } };
    await expect(boot({ retries }, [Client])).rejects.toThrow(/Client has no method "refresh"/);
  });

  it('is refused where there is no class', async () => {
    const retry = { beforeRetry: 'refresh' };
    await expect(boot({ services: { load: { retry } } })).rejects.toThrow(
      /^services\.load\.retry\.beforeRetry: is "refresh"; allowed here, where there is no class: a function/,
    );
    const app = await boot();
    expect(() => app.pipeline({ name: 'load', retry })).toThrow(
      /^pipeline "load"\.retry\.beforeRetry: is "refresh"; allowed here/,
    );
  });

  it('is refused where methods run before the retries of each other in a circle', async () => {
    @Injectable()
    class Client {
      @Retry({ beforeRetry: 'two' })
      async one(): Promise<void> {}

      @Retry({ beforeRetry: 'one' })
      async two(): Promise<void> {}
    }
    await expect(boot({}, [Client])).rejects.toThrow(
      'Client.one @Retry(): goes in a circle: one -> two -> one; allowed: preparations that end',
    );
  });

  it.each([
    ['said on the class', Retry({ ...RETRY, beforeRetry: 'refresh' })],
    ['of options with a name', Retry('api')],
  ])('is none of those that what is %s protects', async (_, decorator) => {
    @(decorator as ClassDecorator)
    @Injectable()
    class Client {
      refreshed = 0;

      async load(): Promise<string> {
        if (this.refreshed === 0) throw ERROR;
        return 'up';
      }

      async refresh(): Promise<void> {
        this.refreshed++;
      }
    }
    const app = await boot({ retries: { api: { ...RETRY, beforeRetry: 'refresh' } } }, [Client]);
    const operations = app.module.get(ResilienceService).describe();
    const retried = operations.filter(({ stages }) => stages.retry !== undefined);
    expect(retried.map(({ operation }) => operation)).toEqual(['Client.load']);
    const result = watch(app.module.get(Client).load());
    await elapse(10);
    expect(result.value).toBe('up');
  });
});

describe('currentAttempt()', () => {
  const seen: unknown[] = [];
  const see = () => seen.push(currentAttempt());

  it('is the first outside of every call, and in one without retries', async () => {
    expect(currentAttempt()).toEqual({ attempt: 1, hedge: 0 });
    const app = await boot();
    const pipeline = app.pipeline({ name: 'load', timeoutMs: 100 });
    expect(await pipeline.execute(async () => currentAttempt())).toEqual({ attempt: 1, hedge: 0 });
  });

  const clientOf = () => {
    @Injectable()
    class Client {
      failures = 2;
      seen: unknown[] = [];

      @Retry(RETRY)
      async promise(): Promise<void> {
        this.see();
        await undefined;
        this.see();
        this.fail();
      }

      @Retry(RETRY)
      stream(): Observable<number> {
        return defer(() => {
          this.see();
          this.fail();
          return of(1);
        });
      }

      @Retry(RETRY)
      async *values(): AsyncGenerator<number> {
        this.see();
        this.fail();
        yield 1;
      }

      @Retry(RETRY)
      async outer(): Promise<void> {
        this.see();
        await this.inner();
        this.see();
        this.fail();
      }

      @Timeout(100)
      async inner(): Promise<void> {
        this.see();
      }

      private see(): void {
        this.seen.push(currentAttempt().attempt);
      }

      private fail(): void {
        if (this.failures-- > 0) throw ERROR;
      }
    }
    return Client;
  };
  type Client = InstanceType<ReturnType<typeof clientOf>>;

  it.each<[string, (client: Client) => Promise<unknown>, number[]]>([
    ['a Promise', (client) => client.promise(), [1, 1, 2, 2, 3, 3]],
    ['an Observable', (client) => lastValueFrom(client.stream()), [1, 2, 3]],
    ['an async generator', (client) => client.values().next(), [1, 2, 3]],
    [
      'a call inside of another, of which it is the first,',
      (client) => client.outer(),
      [1, 1, 1, 2, 1, 2, 3, 1, 3],
    ],
  ])('tells %s which one it is', async (_, call, expected) => {
    const Client = clientOf();
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    const result = watch(call(client));
    await elapse(20);
    expect(result.state).toBe('fulfilled');
    expect(client.seen).toEqual(expected);
  });

  it('is that of a call without any stage that needs a scope, inside of a second attempt', async () => {
    const app = await boot();
    const outer = app.pipeline({ name: 'outer', retry: RETRY });
    @Injectable()
    class Inner {
      @Retry(2)
      async load(): Promise<number> {
        await undefined;
        return currentAttempt().attempt;
      }
    }
    const inner = await boot({}, [Inner]);
    const attempts: number[] = [];
    const result = watch(
      outer.execute(async ({ attempt }) => {
        attempts.push(attempt, await inner.module.get(Inner).load());
        if (attempt < 3) throw ERROR;
      }),
    );
    await elapse(20);
    expect(result.state).toBe('fulfilled');
    expect(attempts).toEqual([1, 1, 2, 1, 3, 1]);
  });

  it('tells hedged attempts apart, also after a retry, and not to the calls inside', async () => {
    seen.length = 0;
    @Injectable()
    class Client {
      /** Nothing of it needs a scope. */
      @Retry(2)
      async load(): Promise<unknown> {
        await undefined;
        return currentAttempt();
      }
    }
    const app = await boot({}, [Client]);
    const client = app.module.get(Client);
    const inside: unknown[] = [];
    const inner = app.pipeline({ name: 'inner', timeoutMs: 1_000 });
    const pipeline = app.pipeline({
      name: 'load',
      retry: { ...RETRY, maxAttempts: 2 },
      hedge: { delayMs: 50, maxHedged: 2 },
      timeoutMs: 120,
    });
    const result = watch(
      pipeline.execute(async () => {
        see();
        inside.push(await inner.execute(async () => currentAttempt()), await client.load());
        return never();
      }),
    );
    await elapse(1_000);
    expect(result.error).toMatchObject({ name: 'TimeoutError' });
    expect(seen).toEqual(
      [1, 2].flatMap((attempt) => [0, 1, 2].map((hedge) => ({ attempt, hedge }))),
    );
    expect(inside).toEqual(Array.from({ length: 12 }, () => ({ attempt: 1, hedge: 0 })));
  });

  it('knows no hedges in what runs before an attempt, also inside of one that is hedged', async () => {
    seen.length = 0;
    const { app, pipeline } = await pipelineFor({ maxAttempts: 2, beforeRetry: () => void see() });
    const outer = app.pipeline({ name: 'outer', hedge: { delayMs: 5 } });
    const result = watch(outer.execute(() => pipeline.execute(() => Promise.reject(ERROR))));
    await elapse(20);
    expect(result.error).toBe(ERROR);
    expect(seen).toEqual([
      { attempt: 2, hedge: 0 },
      { attempt: 2, hedge: 0 },
    ]);
  });

  it('is the attempt to come in what runs before it, and that of the call around in a fallback', async () => {
    seen.length = 0;
    const { pipeline } = await pipelineFor(
      { maxAttempts: 2, beforeRetry: () => void see() },
      { fallback: see },
    );
    const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
    await elapse(10);
    expect(result.state).toBe('fulfilled');
    expect(seen).toEqual([
      { attempt: 2, hedge: 0 },
      { attempt: 1, hedge: 0 },
    ]);
  });
});

it('A preparation leaves no timer and no wait behind', async () => {
  const { pipeline } = await pipelineFor({ maxAttempts: 2, beforeRetry: async () => undefined });
  const result = watch(pipeline.execute(() => Promise.reject(ERROR)));
  await elapse(10);
  expect(result.error).toBe(ERROR);
  expect(jest.getTimerCount()).toBe(0);
});
