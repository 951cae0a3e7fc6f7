import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable, NotFoundException } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import fc from 'fast-check';
import { ResilienceRuntime } from '../../lib/binding/runtime.js';
import {
  type Pipeline,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
  Retry,
  type RetryOptions,
  type ServiceOptions,
  TimeoutError,
} from '../../lib/index.js';

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms);

let runtime: ResilienceRuntime;

function pipeline(options: ServiceOptions, name = 'call'): Pipeline {
  return runtime.programmatic.addPipeline(name, options).pipeline;
}

const retrying = (retry: RetryOptions = {}, name?: string) => pipeline({ retry }, name);

/** What calls through a pipeline do, and when. */
class Recorder {
  /** When each attempt began, in ms. */
  readonly startedAt: number[] = [];
  readonly attempts: number[] = [];
  outcome: { value?: unknown; error?: unknown; at: number } | undefined = undefined;

  /** Makes one call, whose nth attempt ends as `behaviour(n)` does. */
  call(
    through: Pipeline,
    behaviour: (attempt: number) => unknown,
    options: { durationMs?: number; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { durationMs = 0, signal } = options;
    const began = performance.now();
    const settle = (outcome: { value?: unknown; error?: unknown }) => {
      this.outcome = { ...outcome, at: performance.now() - began };
    };
    return through
      .execute(
        async ({ attempt }) => {
          this.startedAt.push(performance.now() - began);
          this.attempts.push(attempt);
          if (durationMs > 0) await new Promise((resolve) => setTimeout(resolve, durationMs));
          return behaviour(attempt);
        },
        { signal },
      )
      .then(
        (value) => settle({ value }),
        (error: unknown) => settle({ error }),
      );
  }

  get calls(): number {
    return this.startedAt.length;
  }
}

const fail =
  (error: unknown = new Error('failure')) =>
  () => {
    throw error;
  };

beforeEach(() => {
  jest.useFakeTimers();
  runtime = new ResilienceRuntime({ errorTracker: { log: false }, shutdown: { graceMs: 0 } });
});
afterEach(() => {
  runtime.beginShutdown();
  expect(jest.getTimerCount()).toBe(0); // nothing is left behind by any of these calls
  jest.useRealTimers();
});

describe('attempts', () => {
  it('17: six calls with maxAttempts 6, three by default', async () => {
    const [six, byDefault] = [new Recorder(), new Recorder()];
    void six.call(retrying({ maxAttempts: 6 }, 'six'), fail());
    void byDefault.call(retrying({}, 'default'), fail());
    await advance(60_000);
    expect(six.attempts).toEqual([1, 2, 3, 4, 5, 6]);
    expect(byDefault.attempts).toEqual([1, 2, 3]);
  });

  it('end with the first success', async () => {
    const seen = new Recorder();
    void seen.call(retrying({ maxAttempts: 5 }), (attempt) => (attempt < 3 ? fail()() : 'value'));
    await advance(60_000);
    expect(seen.calls).toBe(3);
    expect(seen.outcome).toMatchObject({ value: 'value' });
  });

  it('are one with maxAttempts 1, and without a wait', async () => {
    const seen = new Recorder();
    await seen.call(retrying({ maxAttempts: 1 }), fail());
    expect(seen.calls).toBe(1);
    expect(seen.outcome?.at).toBe(0);
  });

  it('18: of a ChildError where ParentError is retryable; one where the predicate says no', async () => {
    class ParentError extends Error {}
    class ChildError extends ParentError {}
    const [child, other, refused] = [new Recorder(), new Recorder(), new Recorder()];
    const byClass = retrying({ retryableErrors: [ParentError] }, 'class');
    void child.call(byClass, fail(new ChildError()));
    void other.call(byClass, fail(new Error()));
    void refused.call(retrying({ retryableErrors: () => false }, 'predicate'), fail());
    await advance(60_000);
    expect([child.calls, other.calls, refused.calls]).toEqual([3, 1, 1]);
  });

  it('are one for a client error', async () => {
    const seen = new Recorder();
    const error = new NotFoundException();
    await seen.call(retrying(), fail(error));
    expect(seen.calls).toBe(1);
    expect(seen.outcome?.error).toBe(error);
  });

  it('begin with whatever way of failing: a rejection, a synchronous throw', async () => {
    let calls = 0;
    const result = retrying().execute(() => {
      calls++;
      if (calls === 1) throw new Error('at once');
      return calls === 2 ? Promise.reject(new Error('rejected')) : Promise.resolve('value');
    });
    await advance(1_000);
    expect(await result).toBe('value');
  });

  it('do not disturb each other: concurrent calls count on their own', async () => {
    const shared = retrying({ maxAttempts: 2 });
    const crowd = Array.from({ length: 20 }, () => new Recorder());
    for (const each of crowd) void each.call(shared, fail());
    await advance(1_000);
    expect(crowd.map(({ calls }) => calls)).toEqual(crowd.map(() => 2));
  });
});

describe('waits', () => {
  it('19: of 100, 200, 400, 500 and 500 ms without jitter', async () => {
    const seen = new Recorder();
    const retry = { maxAttempts: 6, jitter: 'none', baseDelayMs: 100, maxDelayMs: 500 } as const;
    void seen.call(retrying(retry), fail());
    await advance(5_000);
    expect(seen.startedAt).toEqual([0, 100, 300, 700, 1_200, 1_700]);
  });

  it('20: never longer than maxDelayMs, whatever the options', async () => {
    const options = fc.record({
      maxAttempts: fc.integer({ min: 2, max: 8 }),
      baseDelayMs: fc.constantFrom(0, 1, 100, 2 ** 31 - 1),
      maxDelayMs: fc.constantFrom(0, 1, 50, 1_000),
      factor: fc.constantFrom(1, 2, 1e200, Number.MAX_VALUE),
      jitter: fc.constantFrom('none', 'full', 'equal', 'decorrelated' as const),
    });
    let made = 0;
    await fc.assert(
      fc.asyncProperty(options, async (retry) => {
        const seen = new Recorder();
        const call = seen.call(retrying(retry, `call ${++made}`), fail());
        await advance(60_000);
        await call;
        expect(seen.calls).toBe(retry.maxAttempts);
        const waits = seen.startedAt.slice(1).map((at, index) => at - (seen.startedAt[index] ?? 0));
        for (const wait of waits) expect(wait).toBeLessThanOrEqual(Math.max(1, retry.maxDelayMs)); // a timer takes 1 ms
      }),
      { numRuns: 60 },
    );
  });

  it('21: end with maxDurationMs: fewer than 11 calls of 100 ms in 1000 ms', async () => {
    const seen = new Recorder();
    void seen.call(
      retrying({ maxAttempts: 100, maxDurationMs: 1_000, baseDelayMs: 1, maxDelayMs: 1 }),
      fail(),
      {
        durationMs: 100,
      },
    );
    await advance(60_000);
    expect(seen.calls).toBeGreaterThan(5);
    expect(seen.calls).toBeLessThan(11);
    expect(seen.outcome?.at).toBeLessThanOrEqual(1_100);
  });

  it('21: are not begun where maxDurationMs ends within them: the last error surfaces at once', async () => {
    const seen = new Recorder();
    const error = new Error();
    void seen.call(retrying({ maxDurationMs: 150, baseDelayMs: 200, jitter: 'none' }), fail(error));
    await advance(0);
    expect(seen.outcome).toEqual({ error, at: 0 });
  });

  it('22: one call where the first attempt takes longer than maxDurationMs', async () => {
    const seen = new Recorder();
    void seen.call(retrying({ maxDurationMs: 50 }), fail(), { durationMs: 100 });
    await advance(60_000);
    expect(seen.calls).toBe(1);
    expect(seen.outcome?.at).toBe(100);
  });

  it('23: of at least a Retry-After of 2 s; none for one of 60 s', async () => {
    const [short, long] = [new Recorder(), new Recorder()];
    const busy = (seconds: string) =>
      Object.assign(new Error('busy'), {
        response: { status: 429, headers: { 'retry-after': seconds } },
      });
    const through = retrying({ maxAttempts: 2, maxDelayMs: 5_000, baseDelayMs: 1 });
    void short.call(through, fail(busy('2')));
    void long.call(through, fail(busy('60')));
    await advance(0);
    expect(long.outcome).toMatchObject({ at: 0 });
    await advance(60_000);
    expect(short.calls).toBe(2);
    expect(short.startedAt[1]).toBeGreaterThanOrEqual(2_000);
    expect(long.calls).toBe(1);
  });

  it('24: end at once when the caller aborts, with its reason and after one call', async () => {
    const seen = new Recorder();
    const caller = new AbortController();
    void seen.call(retrying({ baseDelayMs: 5_000, jitter: 'none' }), fail(), {
      signal: caller.signal,
    });
    await advance(100);
    const reason = new Error('gone');
    caller.abort(reason);
    await advance(0);
    expect(seen.outcome).toEqual({ error: reason, at: 100 });
    expect(jest.getTimerCount()).toBe(0);
    await advance(60_000);
    expect(seen.calls).toBe(1);
  });

  it('end at once when the application closes, with the last error, and no new ones begin', async () => {
    const [waiting, later] = [new Recorder(), new Recorder()];
    const error = new Error('failure');
    const through = retrying({ baseDelayMs: 5_000, jitter: 'none' });
    void waiting.call(through, fail(error));
    await advance(100);
    runtime.beginShutdown();
    await advance(0);
    expect(waiting.outcome).toEqual({ error, at: 100 });
    expect(jest.getTimerCount()).toBe(0);
    await later.call(through, fail(error));
    expect(later.outcome).toEqual({ error, at: 0 });
    expect([waiting.calls, later.calls]).toEqual([1, 1]);
  });

  it("end in a fallback's answer when the application closes", async () => {
    const seen = new Recorder();
    const through = pipeline({
      retry: { baseDelayMs: 5_000, jitter: 'none' },
      fallback: () => 'instead',
    });
    void seen.call(through, fail());
    await advance(100);
    runtime.beginShutdown();
    await advance(0);
    expect(seen.outcome).toEqual({ value: 'instead', at: 100 });
  });

  it("are not begun where the caller's deadline lies within them", async () => {
    const seen = new Recorder();
    const outer = pipeline({ timeoutMs: 300 }, 'outer');
    const inner = retrying(
      { maxAttempts: 10, baseDelayMs: 200, factor: 1, jitter: 'none' },
      'inner',
    );
    const error = new Error('last');
    const result = outer.execute(() => seen.call(inner, fail(error)));
    await advance(200);
    await result;
    expect(seen.startedAt).toEqual([0, 200]);
    expect(seen.outcome).toEqual({ error, at: 200 }); // 100 ms before the deadline, which never strikes
  });

  it('are not begun after a deadline of the caller has cut an attempt', async () => {
    const seen = new Recorder();
    const outer = pipeline({ timeoutMs: 300 }, 'outer');
    const inner = retrying({ maxAttempts: 5, baseDelayMs: 20, jitter: 'none' }, 'inner');
    const result = outer.execute(() => seen.call(inner, fail(), { durationMs: 250 }));
    const settled = expect(result).rejects.toBeInstanceOf(TimeoutError);
    await advance(1_000);
    await settled;
    expect(seen.startedAt).toEqual([0, 270]);
  });

  it('end at once when the call around them is cancelled', async () => {
    const seen = new Recorder();
    const caller = new AbortController();
    const inner = retrying({ baseDelayMs: 5_000, jitter: 'none' }, 'inner');
    const result = pipeline({}, 'outer').execute(() => seen.call(inner, fail()), {
      signal: caller.signal,
    });
    const settled = expect(result).rejects.toBe('gone');
    await advance(100);
    caller.abort('gone');
    await settled;
    await advance(0);
    expect(seen.outcome).toEqual({ error: 'gone', at: 100 });
    expect(jest.getTimerCount()).toBe(0);
  });

  it('keep to one attempt at a time: a timed-out one is over before the next begins', async () => {
    const seen = new Recorder();
    const through = pipeline({
      timeoutMs: 50,
      retry: { maxAttempts: 3, baseDelayMs: 10, factor: 1, jitter: 'none' },
    });
    void seen.call(through, fail(), { durationMs: 10_000 });
    await advance(1_000);
    expect(seen.startedAt).toEqual([0, 60, 120]);
    expect(seen.outcome?.error).toBeInstanceOf(TimeoutError);
    expect(seen.outcome?.at).toBe(170);
    await advance(60_000); // the abandoned ones reject now, and nobody hears of it
  });
});

describe('the error at the end', () => {
  it("is the last attempt's own, the same instance, untouched", async () => {
    const errors = [new Error('first'), new Error('second'), Object.freeze(new Error('third'))];
    const keys = errors.map((error) => Reflect.ownKeys(error));
    const seen = new Recorder();
    void seen.call(retrying(), (attempt) => fail(errors[attempt - 1])());
    await advance(1_000);
    expect(seen.outcome?.error).toBe(errors[2]);
    expect(errors.map((error) => Reflect.ownKeys(error))).toEqual(keys);
  });

  it('may be one and the same instance each time', async () => {
    const error = new Error();
    const seen = new Recorder();
    void seen.call(retrying(), fail(error));
    await advance(1_000);
    expect(seen.calls).toBe(3);
    expect(seen.outcome?.error).toBe(error);
  });

  it.each([['a string'], [undefined], [null], [0], [false], [{ plain: true }]])(
    'may be anything: %p',
    async (thrown) => {
      const seen = new Recorder();
      const through = retrying();
      void seen.call(through, () => {
        throw thrown;
      });
      await advance(1_000);
      expect(seen.calls).toBe(3);
      expect(seen.outcome).toHaveProperty('error', thrown);
    },
  );
});

describe('retryableErrors', () => {
  it('is asked with the error and the number of the attempt that failed', async () => {
    const asked: [unknown, number][] = [];
    const errors = [new Error('1'), new Error('2'), new Error('3')];
    const seen = new Recorder();
    const retryableErrors = (error: unknown, attempt: number) => {
      asked.push([error, attempt]);
      return true;
    };
    void seen.call(retrying({ retryableErrors }), (attempt) => fail(errors[attempt - 1])());
    await advance(1_000);
    expect(asked.slice(0, 2)).toEqual([
      [errors[0], 1],
      [errors[1], 2],
    ]);
  });

  it('that throws surfaces its error, after one call', async () => {
    const mistake = new TypeError('predicate');
    const seen = new Recorder();
    const through = retrying({ retryableErrors: fail(mistake) as () => never });
    await seen.call(through, fail());
    expect(seen.calls).toBe(1);
    expect(seen.outcome?.error).toBe(mistake);
  });

  it('that answers with a promise fails the call: every promise would count as a yes', async () => {
    const seen = new Recorder();
    const lie = (() => Promise.reject(new Error('late'))) as unknown as () => boolean;
    await seen.call(retrying({ retryableErrors: lie }), fail());
    expect(seen.calls).toBe(1);
    expect(String(seen.outcome?.error)).toMatch(/retryableErrors.*promise/);
  });

  it('is not asked about a success', async () => {
    let asked = 0;
    const retryableErrors = () => {
      asked++;
      return true;
    };
    await new Recorder().call(retrying({ retryableErrors }), () => 'value');
    expect(asked).toBe(0);
  });
});

describe('@Retry()', () => {
  class Flaky {
    calls = 0;
    protected fail(): never {
      this.calls++;
      throw new Error('failure');
    }
  }

  const quick = { baseDelayMs: 1, jitter: 'none' } as const;

  @Injectable()
  @Retry({ ...quick, maxAttempts: 4, maxDurationMs: 10_000 })
  class Inheriting extends Flaky {
    async plain(): Promise<string> {
      return this.fail();
    }

    @Retry({ baseDelayMs: 7 })
    async slower(): Promise<string> {
      return this.fail();
    }

    @Retry(2)
    async fewer(): Promise<string> {
      return this.fail();
    }

    @Retry('patient')
    async named(): Promise<string> {
      return this.fail();
    }
  }

  @Injectable()
  class Bare extends Flaky {
    @Retry()
    async bare(): Promise<string> {
      return this.fail();
    }

    @Retry({ maxAttempts: 5 })
    async own(): Promise<string> {
      return this.fail();
    }
  }

  async function application(options: ResilienceModuleOptions) {
    const app = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ errorTracker: { log: false }, ...options })],
      providers: [Inheriting, Bare],
    }).compile();
    await app.init();
    const stage = (operation: string) =>
      app
        .get(ResilienceService)
        .describe()
        .find((each) => each.operation === operation)?.stages.retry;
    return { app, stage };
  }

  async function callsOf<T extends Flaky>(
    instance: T,
    method: (instance: T) => Promise<unknown>,
  ): Promise<number> {
    instance.calls = 0;
    const settled = expect(method(instance)).rejects.toThrow('failure');
    await advance(60_000);
    await settled;
    return instance.calls;
  }

  it('25: on a method overrides that on the class field by field', async () => {
    const { app, stage } = await application({ retries: { patient: { maxAttempts: 6 } } });
    const service = app.get(Inheriting);
    expect(await callsOf(service, (each) => each.plain())).toBe(4);
    expect(await callsOf(service, (each) => each.slower())).toBe(4);
    expect(await callsOf(service, (each) => each.fewer())).toBe(2);
    expect(await callsOf(service, (each) => each.named())).toBe(6);
    expect(stage('Inheriting.slower')).toMatchObject({
      maxAttempts: 4,
      baseDelayMs: 7,
      jitter: 'none',
      maxDurationMs: 10_000,
    });
    expect(stage('Inheriting.fewer')).toMatchObject({ maxAttempts: 2, baseDelayMs: 1 });
    expect(stage('Inheriting.named')).toMatchObject({ maxAttempts: 6, baseDelayMs: 1 });
    await app.close();
  });

  it('takes what it leaves out from defaults.retry', async () => {
    const { app } = await application({
      retries: { patient: {} },
      defaults: { retry: { ...quick, maxAttempts: 7 } },
    });
    expect(await callsOf(app.get(Bare), (each) => each.bare())).toBe(7);
    expect(await callsOf(app.get(Bare), (each) => each.own())).toBe(5);
    await app.close();
  });

  it('ends its backoff with the last error when the application closes without a grace', async () => {
    const { app } = await application({
      retries: { patient: {} },
      shutdown: { graceMs: 0 },
      defaults: { retry: { baseDelayMs: 5_000, jitter: 'none' } },
    });
    const service = app.get(Bare);
    const settled = expect(service.bare()).rejects.toThrow('failure');
    await advance(10);
    await app.close();
    await settled;
    expect(service.calls).toBe(1);
  });
});
