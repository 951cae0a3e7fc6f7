import { AsyncResource } from 'node:async_hooks';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  CircuitBreakerPolicy,
  CircuitState,
  currentSignal,
  ResilienceConfigurationError,
  ResilienceError,
  Timeout,
  TimeoutError,
  validateTimeouts,
} from '../../lib/index.js';
import {
  Deferred,
  elapse,
  failure,
  flush,
  never,
  ResilienceApp,
  watch,
} from '../support/resilience-app.js';

@Injectable()
class Reports {
  signal: AbortSignal | undefined;

  @Timeout(500)
  async render(): Promise<string> {
    this.signal = currentSignal();
    return never();
  }
}

describe('Timeout', () => {
  let app: ResilienceApp;

  beforeAll(async () => {
    app = await ResilienceApp.boot({}, [Reports]);
  });
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0); // no call leaves a timer behind
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  describe('a single call', () => {
    it('lets a method that fails in time surface its own error', async () => {
      const error = new Error('own');
      const call = watch(
        app.pipeline({ timeoutMs: 500 }).execute(async () => {
          await new Promise((resolve) => setTimeout(resolve, 10));
          throw error;
        }),
      );
      await elapse(10);
      expect(call.error).toBe(error);
    });

    it('ends a method that hangs with a TimeoutError at its time, and not a millisecond before', async () => {
      const call = watch(app.pipeline({ timeoutMs: 500 }).execute(never));
      await elapse(499);
      expect(call.state).toBe('pending');
      await elapse(1);
      expect(call.error).toBeInstanceOf(TimeoutError);
    });

    it("aborts the attempt's signal with the very error that it throws", async () => {
      let signal: AbortSignal | undefined;
      const call = watch(
        app.pipeline({ timeoutMs: 500 }).execute((attempt) => {
          signal = attempt.signal;
          return never();
        }),
      );
      await elapse(499);
      expect(signal?.aborted).toBe(false);
      await elapse(1);
      expect(signal?.aborted).toBe(true);
      expect(signal?.reason).toBe(call.error);
    });

    it('says in the error which operation it was, its budget and its code, with the documented message', async () => {
      const call = watch(app.module.get(Reports).render());
      await elapse(500);
      const error = call.error as TimeoutError;
      expect(error).toBeInstanceOf(Error);
      expect(error).toBeInstanceOf(ResilienceError);
      expect(error).toMatchObject({
        name: 'TimeoutError',
        message: 'Operation timed out after 500 ms',
        operation: 'Reports.render',
        timeoutMs: 500,
        code: 'TIMEOUT',
      });
      expect(app.module.get(Reports).signal?.reason).toBe(error);
    });

    it('makes an error without an operation where there is none to name', () => {
      const error = new TimeoutError(20);
      expect(error.operation).toBeUndefined();
      expect(error.timeoutMs).toBe(20);
      expect(error.message).toBe('Operation timed out after 20 ms');
    });

    it('drops the late result of a method that ignores its signal', async () => {
      const late = new Deferred<string>();
      const call = watch(app.pipeline({ timeoutMs: 50 }).execute(() => late.promise));
      await elapse(50);
      late.resolve('too late');
      await flush();
      expect(call.error).toBeInstanceOf(TimeoutError);
    });

    // An unhandled rejection fails the test by itself.
    it('never makes the late rejection of a method that ignores its signal an unhandled one', async () => {
      const late = new Deferred();
      const call = watch(app.pipeline({ timeoutMs: 50 }).execute(() => late.promise));
      await elapse(50);
      late.reject(new Error('too late'));
      jest.useRealTimers();
      await new Promise((resolve) => setImmediate(resolve));
      jest.useFakeTimers();
      expect(call.error).toBeInstanceOf(TimeoutError);
    });

    it('lets a fallback answer at the time of the timeout', async () => {
      const call = watch(
        app.pipeline({ timeoutMs: 500, fallback: () => 'instead' }).execute(never),
      );
      await elapse(499);
      expect(call.state).toBe('pending');
      await elapse(1);
      expect(call.value).toBe('instead');
    });

    it('gives each attempt the whole budget', async () => {
      const retry = { maxAttempts: 2, baseDelayMs: 100, jitter: 'none' } as const;
      const run = jest.fn(never);
      const call = watch(app.pipeline({ timeoutMs: 500, retry }).execute(run));
      await elapse(600);
      expect(run).toHaveBeenCalledTimes(2);
      await elapse(499);
      expect(call.state).toBe('pending');
      await elapse(1);
      expect(call.error).toBeInstanceOf(TimeoutError);
    });
  });

  describe('concurrent calls', () => {
    it("never abort each other: one caller's timeout is its own", async () => {
      const pipeline = app.pipeline({ timeoutMs: 100 });
      const signals: AbortSignal[] = [];
      const slow = new Deferred<string>();
      const first = watch(
        pipeline.execute(({ signal }) => {
          signals.push(signal);
          return never();
        }),
      );
      await elapse(60);
      const second = watch(
        pipeline.execute(({ signal }) => {
          signals.push(signal);
          return slow.promise;
        }),
      );
      await elapse(40);
      expect(first.error).toBeInstanceOf(TimeoutError);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
      await elapse(59);
      slow.resolve('in time');
      await flush();
      expect(second.value).toBe('in time');
      expect(signals[1]?.aborted).toBe(false);
    });

    it('time out each at its own time, in whichever order the others end', async () => {
      const pipeline = app.pipeline({ timeoutMs: 100 });
      const works = Array.from({ length: 10 }, () => new Deferred<number>());
      const calls = [];
      for (const work of works) {
        calls.push(watch(pipeline.execute(() => work.promise)));
        await elapse(5);
      }
      for (const index of [0, 9, 4]) works[index]?.resolve(index); // the first, the last, one between
      await elapse(54); // 104 ms after the first began, 99 after the second
      expect(calls.map(({ state }) => state)).toEqual([
        'fulfilled',
        ...Array(3).fill('pending'),
        'fulfilled',
        ...Array(4).fill('pending'),
        'fulfilled',
      ]);
      for (let index = 1; index <= 8; index++) {
        await elapse(1);
        if (index !== 4) expect(calls[index]?.error).toBeInstanceOf(TimeoutError);
        await elapse(4);
      }
    });

    it('share one timer, which goes when none of them is pending', async () => {
      const pipeline = app.pipeline({ timeoutMs: 100 });
      const works = Array.from({ length: 50 }, () => new Deferred());
      for (const work of works) watch(pipeline.execute(() => work.promise));
      expect(jest.getTimerCount()).toBe(1);
      for (const work of works.slice(1)) work.resolve(undefined);
      await flush();
      expect(jest.getTimerCount()).toBe(1);
      works[0]?.resolve(undefined);
      await flush();
      expect(jest.getTimerCount()).toBe(0);
    });

    it('leave no timer behind however they end', async () => {
      const pipeline = app.pipeline({
        timeoutMs: 100,
        circuitBreaker: { failureThreshold: 100 },
        bulkhead: { maxConcurrent: 1, queueLimit: 1, queueTimeoutMs: 50 },
      });
      const caller = new AbortController();
      watch(pipeline.execute(never, { signal: caller.signal }));
      watch(pipeline.execute(never));
      watch(pipeline.execute(never));
      watch(
        pipeline.execute(() => {
          throw new Error('at once');
        }),
      );
      await flush();
      caller.abort();
      await elapse(50); // the queued one has had enough
      expect(jest.getTimerCount()).toBe(0);
    });

    it('time out on their own also after another call was refused by the open breaker and then cancelled', async () => {
      const pipeline = app.pipeline({
        timeoutMs: 100,
        circuitBreaker: { failureThreshold: 1 },
        fallback: never,
      });
      const running = watch(pipeline.execute(never));
      const refusedCaller = new AbortController();
      watch(pipeline.execute(() => Promise.reject(new Error('opens the breaker'))));
      await flush();
      const refused = watch(pipeline.execute(never, { signal: refusedCaller.signal }));
      await flush();
      refusedCaller.abort(new Error('lost interest'));
      await flush();
      expect(refused.error).toMatchObject({ message: 'lost interest' });
      expect(running.state).toBe('pending');
      expect(jest.getTimerCount()).toBe(1);
      const timeouts = app.metrics.get('timeout.total');
      await elapse(100);
      expect(app.metrics.get('timeout.total')).toBe(timeouts + 1);
    });
  });

  describe('calls inside calls', () => {
    it('end when the time of the outer one is up, whose budget the error names', async () => {
      const inner = app.pipeline({ timeoutMs: 5000 });
      const outer = app.pipeline({ timeoutMs: 300, name: 'outer-300' });
      let innerError: unknown;
      let innerSignal: AbortSignal | undefined;
      const call = watch(
        outer.execute(async () => {
          innerError = await failure(
            inner.execute(({ signal }) => {
              innerSignal = signal;
              return never();
            }),
          );
          throw innerError;
        }),
      );
      await elapse(299);
      expect(innerError).toBeUndefined();
      await elapse(1);
      expect(call.error).toMatchObject({ timeoutMs: 300, operation: 'outer-300' });
      expect(innerError).toBeInstanceOf(TimeoutError);
      expect(innerError).toMatchObject({ timeoutMs: 300 });
      expect(innerSignal?.reason).toBe(call.error);
    });

    it('keep a timeout of their own that is shorter', async () => {
      const inner = app.pipeline({ timeoutMs: 100 });
      const call = watch(app.pipeline({ timeoutMs: 300 }).execute(() => inner.execute(never)));
      await elapse(100);
      expect(call.error).toMatchObject({ timeoutMs: 100 });
    });

    it('fail with a TimeoutError without calling where nothing is left, and their fallback does not hide it', async () => {
      const run = jest.fn(never);
      const fallback = jest.fn(() => 'instead');
      const inner = app.pipeline({ timeoutMs: 5000, fallback });
      const call = watch(
        app.pipeline({ timeoutMs: 300 }).execute(() => {
          const at = performance.now() + 300; // the event loop was busy: the timer is late
          jest.spyOn(performance, 'now').mockReturnValue(at);
          return inner.execute(run);
        }),
      );
      await flush();
      jest.restoreAllMocks();
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(call.error).toMatchObject({ timeoutMs: 300 });
      expect(run).not.toHaveBeenCalled();
      expect(fallback).not.toHaveBeenCalled();
    });

    it('teach the inner breaker when the outer timeout cuts them', async () => {
      const inner = app.pipeline({ name: 'learns', circuitBreaker: { failureThreshold: 2 } });
      const outer = app.pipeline({ timeoutMs: 100 });
      for (let call = 0; call < 2; call++) {
        watch(outer.execute(() => inner.execute(never)));
        await elapse(100);
      }
      expect(app.breakers.get('learns').getState()).toBe(CircuitState.OPEN);
    });

    it('teach the breakers of all layers when the outermost timeout cuts them', async () => {
      const breaker = { failureThreshold: 1 };
      const innermost = app.pipeline({ name: 'innermost', circuitBreaker: breaker });
      const middle = app.pipeline({
        name: 'middle',
        circuitBreaker: breaker,
        retry: { maxAttempts: 5 },
      });
      watch(
        app
          .pipeline({ timeoutMs: 100 })
          .execute(() => middle.execute(() => innermost.execute(never))),
      );
      await elapse(100);
      expect(app.breakers.get('innermost').getState()).toBe(CircuitState.OPEN);
      expect(app.breakers.get('middle').getState()).toBe(CircuitState.OPEN);
    });

    it('are failures of their own operation when the outer timeout cuts them, and nothing when the caller leaves', async () => {
      const inner = app.pipeline({ name: 'cut', critical: true });
      const leaving = new AbortController();
      const outer = app.pipeline({ timeoutMs: 300 });
      const call = (signal?: AbortSignal) =>
        watch(outer.execute(() => inner.execute(never), signal && { signal }));
      const failures = () => [
        app.metrics.get('requests.total', { operation: 'cut', outcome: 'failure' }) ?? 0,
        app.metrics.get('service.error', { operation: 'cut' }) ?? 0,
      ];
      call(leaving.signal);
      await elapse(100);
      leaving.abort();
      await flush();
      expect(failures()).toEqual([0, 0]);
      call();
      await elapse(300);
      expect(failures()).toEqual([1, 1]);
    });

    it("teach no breaker anything when the outer call's caller cancels", async () => {
      const inner = app.pipeline({
        name: 'untaught',
        timeoutMs: 1000,
        circuitBreaker: { failureThreshold: 1 },
      });
      const caller = new AbortController();
      const call = watch(
        app
          .pipeline({ timeoutMs: 300 })
          .execute(() => inner.execute(never), { signal: caller.signal }),
      );
      await elapse(100);
      const reason = new Error('lost interest');
      caller.abort(reason);
      await flush();
      expect(call.error).toBe(reason);
      expect(app.breakers.get('untaught').getSnapshot()).toMatchObject({
        state: CircuitState.CLOSED,
        calls: 0,
      });
    });

    it("teach the breaker when the caller's signal is a deadline: AbortSignal.timeout() is one", async () => {
      const pipeline = app.pipeline({ name: 'deadline', circuitBreaker: { failureThreshold: 1 } });
      const caller = new AbortController();
      const call = watch(pipeline.execute(never, { signal: caller.signal }));
      caller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
      await flush();
      expect(call.error).toBe(caller.signal.reason);
      expect(app.breakers.get('deadline').getState()).toBe(CircuitState.OPEN);
    });

    it('start no attempt that the outer deadline would cut before it begins: the last error surfaces at once', async () => {
      const inner = app.pipeline({
        retry: { maxAttempts: 3, baseDelayMs: 200, jitter: 'none' },
      });
      const error = new Error('down');
      const run = jest.fn(() => Promise.reject(error));
      const call = watch(app.pipeline({ timeoutMs: 300 }).execute(() => inner.execute(run)));
      await elapse(200);
      expect(run).toHaveBeenCalledTimes(2);
      expect(call.error).toBe(error); // the third would begin at 600 ms
    });

    it('do not begin at the very moment at which the outer deadline has come', async () => {
      const inner = app.pipeline({});
      const run = jest.fn(never);
      const onTheDot = new Promise((resolve) => setTimeout(resolve, 100)); // before the timeout's timer
      const call = app.pipeline({ timeoutMs: 100 }).execute(async () => {
        await onTheDot;
        return failure(inner.execute(run));
      });
      await elapse(100);
      expect(await call).toMatchObject({ code: 'TIMEOUT', timeoutMs: 100 });
      expect(run).not.toHaveBeenCalled();
    });

    it('are on their own when they outlive a caller that has ended well', async () => {
      const inner = app.pipeline({
        timeoutMs: 1000,
        retry: { maxAttempts: 3, baseDelayMs: 400, factor: 1, jitter: 'none' },
      });
      const run = jest
        .fn<() => Promise<string>>()
        .mockRejectedValueOnce(new Error('down'))
        .mockRejectedValueOnce(new Error('down'))
        .mockResolvedValue('sent');
      let background: ReturnType<typeof watch<string>> | undefined;
      const call = watch(
        app.pipeline({ timeoutMs: 500 }).execute(async () => {
          background = watch(inner.execute(run));
          return 'done';
        }),
      );
      await flush();
      expect(call.value).toBe('done');
      await elapse(800);
      expect(run).toHaveBeenCalledTimes(3);
      expect(background?.value).toBe('sent');
    });

    it('are on their own also when they outlive a caller that has failed', async () => {
      const inner = app.pipeline({
        retry: { maxAttempts: 3, baseDelayMs: 400, factor: 1, jitter: 'none' },
      });
      const run = jest
        .fn<() => Promise<string>>()
        .mockRejectedValueOnce(new Error('down'))
        .mockRejectedValueOnce(new Error('down'))
        .mockResolvedValue('sent');
      const work = new Deferred<string>();
      let background: ReturnType<typeof watch<string>> | undefined;
      const call = watch(
        app.pipeline({ timeoutMs: 500 }).execute(async () => {
          background = watch(inner.execute(run));
          await work.promise;
        }),
      );
      await elapse(200); // the third attempt is to begin at 800 ms
      work.reject(new Error('down'));
      await flush();
      expect(call.error).toMatchObject({ message: 'down' });
      await elapse(600);
      expect(background?.value).toBe('sent');
    });

    it('that are on their own are still cut by their own timeout, and by no one else', async () => {
      const inner = app.pipeline({ timeoutMs: 1000 });
      const caller = new AbortController();
      let background: ReturnType<typeof watch<never>> | undefined;
      watch(
        app.pipeline({ timeoutMs: 100 }).execute(
          async () => {
            background = watch(inner.execute(never));
          },
          { signal: caller.signal },
        ),
      );
      await flush();
      caller.abort();
      await elapse(999);
      expect(background?.state).toBe('pending');
      await elapse(1);
      expect(background?.error).toMatchObject({ timeoutMs: 1000 });
    });

    it.each<[string, () => Promise<unknown>]>([
      ['ended well', async () => 'done'],
      ['failed', () => Promise.reject(new Error('down'))],
      ['timed out and then ended', () => new Promise((resolve) => setTimeout(resolve, 110))],
    ])('made by an interval that was started in a call still work after it %s', async (_, end) => {
      const tick = app.pipeline({ timeoutMs: 50, retry: { maxAttempts: 2 } });
      const ticks: ReturnType<typeof watch<string>>[] = [];
      let interval: NodeJS.Timeout | undefined;
      const call = watch(
        app.pipeline({ timeoutMs: 100 }).execute(() => {
          const onTick = () => ticks.push(watch(tick.execute(async () => 'tick')));
          interval = setInterval(AsyncResource.bind(onTick), 120); // as Node's own timers do it
          return end();
        }),
      );
      await elapse(360);
      clearInterval(interval);
      expect(call.state).not.toBe('pending');
      expect(ticks.map(({ value }) => value)).toEqual(['tick', 'tick', 'tick']);
    });

    it('made by what an ended call left behind belong to the call around that', async () => {
      const third = app.pipeline({ timeoutMs: 1000 });
      const inner = app.pipeline({});
      let background: ReturnType<typeof watch<never>> | undefined;
      const call = watch(
        app.pipeline({ timeoutMs: 100 }).execute(async () => {
          await inner.execute(async () => {
            const later = () => {
              background = watch(third.execute(never));
            };
            setTimeout(AsyncResource.bind(later), 50);
          });
          return never();
        }),
      );
      await elapse(100);
      expect(call.error).toMatchObject({ timeoutMs: 100 });
      expect(background?.error).toBe(call.error);
    });

    it('made by abandoned work that runs on do not start while the call goes on, and are on their own when it is answered', async () => {
      const run = jest.fn(async () => 'done');
      const inner = app.pipeline({});
      const made: ReturnType<typeof watch<string>>[] = [];
      const retry = { maxAttempts: 2, baseDelayMs: 100, jitter: 'none' } as const;
      const call = watch(
        app.pipeline({ timeoutMs: 100, retry }).execute(async ({ attempt }) => {
          if (attempt === 2) return never();
          const ask = AsyncResource.bind(() => made.push(watch(inner.execute(run))));
          setTimeout(ask, 150); // while the call waits for its second attempt
          setTimeout(ask, 250); // while that one runs
          setTimeout(ask, 350);
          return never();
        }),
      );
      await elapse(299);
      expect(made.map(({ error }) => error)).toEqual([
        expect.any(TimeoutError),
        expect.any(TimeoutError),
      ]);
      expect(run).not.toHaveBeenCalled();
      await elapse(51);
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(made[2]?.value).toBe('done');
    });

    it('made by abandoned work in reaction to its abort do not start', async () => {
      const run = jest.fn(async () => 'wasted');
      const inner = app.pipeline({});
      const outcomes: unknown[] = [];
      const call = watch(
        app.pipeline({ timeoutMs: 100 }).execute(async ({ signal }) => {
          const aborted = new Promise<never>((_, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason));
          });
          for (let left = 3; left > 0; left--)
            await aborted.catch(async () => {
              outcomes.push(await failure(inner.execute(run)));
            });
        }),
      );
      await elapse(200);
      expect(outcomes).toEqual([call.error, call.error, call.error]);
      expect(run).not.toHaveBeenCalled();
    });
  });

  describe('a breaker used by hand', () => {
    it('inside a call learns when that call times out and its own function throws for it', async () => {
      const breaker = new CircuitBreakerPolicy('by-hand', { failureThreshold: 1 });
      watch(
        app.pipeline({ timeoutMs: 100 }).execute(() =>
          breaker.execute(
            ({ signal }) =>
              new Promise((_, reject) => {
                signal.addEventListener('abort', () => reject(signal.reason));
              }),
          ),
        ),
      );
      await elapse(100);
      expect(breaker.getState()).toBe(CircuitState.OPEN);
    });
  });

  describe('validateTimeouts', () => {
    it('accepts client < gateway < service', () => {
      expect(() =>
        validateTimeouts({ client: 3_000, gateway: 5_000, service: 10_000 }),
      ).not.toThrow();
    });

    it.each([
      ['client equal to gateway', { client: 5, gateway: 5, service: 10 }],
      ['gateway equal to service', { client: 5, gateway: 10, service: 10 }],
      ['client above gateway', { client: 6, gateway: 5, service: 10 }],
      ['gateway above service', { client: 3, gateway: 11, service: 10 }],
      ['client between the others', { client: 7, gateway: 5, service: 10 }],
      ['all the wrong way round', { client: 10, gateway: 5, service: 3 }],
      ['zero', { client: 0, gateway: 5, service: 10 }],
      ['a negative one', { client: -1, gateway: 5, service: 10 }],
      ['NaN', { client: 3, gateway: Number.NaN, service: 10 }],
      ['Infinity', { client: 3, gateway: 5, service: Number.POSITIVE_INFINITY }],
      ['a string', { client: '3', gateway: 5, service: 10 }],
      ['null', { client: 3, gateway: null, service: 10 }],
      ['longer than a timer can wait', { client: 3, gateway: 5, service: 2 ** 31 }],
      ['a missing client', { gateway: 5, service: 10 }],
      ['a missing gateway', { client: 3, service: 10 }],
      ['a missing service', { client: 3, gateway: 5 }],
      ['an undefined layer', { client: 3, gateway: undefined, service: 10 }],
      ['a layer that there is not', { client: 3, gateway: 5, service: 10, database: 1 }],
      ['nothing', undefined],
      ['null instead of an object', null],
      ['a number', 3],
      ['an array', [3, 5, 10]],
      ['an empty object', {}],
    ])('refuses %s', (_, hierarchy) => {
      expect(() => validateTimeouts(hierarchy as never)).toThrow(ResilienceConfigurationError);
    });

    it('names the place, the values and what is allowed', () => {
      expect(() => validateTimeouts({ client: 3, service: 10 } as never)).toThrow(
        'timeouts.gateway: is missing; a hierarchy has client, gateway and service',
      );
      expect(() => validateTimeouts({ client: 6, gateway: 5, service: 10 })).toThrow(
        /client 6, gateway 5, service 10.*client < gateway < service/,
      );
      expect(() => validateTimeouts({ client: -1, gateway: 5, service: 10 })).toThrow(/client.*-1/);
    });
  });
});
