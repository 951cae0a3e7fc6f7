import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { runInThisContext } from 'node:vm';
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
import {
  BadRequestException,
  type CallHandler,
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  ServiceUnavailableException,
  UseInterceptors,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { defer, firstValueFrom, lastValueFrom, throwError } from 'rxjs';
import request from 'supertest';
import {
  BulkheadRejectedError,
  CircuitBreakerOpenError,
  CircuitState,
  currentSignal,
  Fallback,
  type Pipeline,
  ResilienceModule,
  Retry,
  type ServiceOptions,
  Timeout,
  TimeoutError,
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

const ONE_RETRY = { maxAttempts: 2, baseDelayMs: 100, jitter: 'none' } as const;

@Injectable()
class Orders {
  readonly signals: AbortSignal[] = [];

  @Timeout(100)
  @Retry({ ...ONE_RETRY, maxAttempts: 3 })
  @Fallback('fromCache')
  async find(_id: number): Promise<string> {
    this.signals.push(currentSignal());
    return never();
  }

  async fromCache(id: number, error: unknown): Promise<string> {
    return `${id} after ${(error as Error).name}`;
  }
}

describe('Pipeline', () => {
  let app: ResilienceApp;
  let names = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot({}, [Orders]);
  });
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  function named(options: ServiceOptions): { pipeline: Pipeline; name: string } {
    const name = `pipeline-test-${names++}`;
    return { pipeline: app.pipeline({ name, ...options }), name };
  }

  describe('composed of its stages', () => {
    it('opens the breaker after two timeouts, when that is its threshold', async () => {
      const { pipeline, name } = named({
        timeoutMs: 500,
        circuitBreaker: { failureThreshold: 2 },
      });
      for (let call = 0; call < 2; call++) {
        const timedOut = watch(pipeline.execute(never));
        await elapse(500);
        expect(timedOut.error).toBeInstanceOf(TimeoutError);
      }
      expect(app.breakers.get(name).getState()).toBe(CircuitState.OPEN);
      expect(await failure(pipeline.execute(never))).toBeInstanceOf(CircuitBreakerOpenError);
    });

    it('ends the retries when the breaker opens: 8 attempts, a window of 4, 4 runs', async () => {
      const { pipeline } = named({
        retry: { maxAttempts: 8, baseDelayMs: 0 },
        circuitBreaker: { windowCalls: 4, minimumCalls: 4, failureRateThreshold: 75 },
      });
      const run = jest.fn(() => Promise.reject(new Error('down')));
      const call = watch(pipeline.execute(run));
      await elapse(10);
      expect(run).toHaveBeenCalledTimes(4);
      expect(call.error).toBeInstanceOf(CircuitBreakerOpenError);
    });

    it('falls back once, after all attempts', async () => {
      const fallback = jest.fn((error: unknown) => (error as Error).message);
      const { pipeline } = named({ retry: ONE_RETRY, fallback });
      const run = jest
        .fn<() => Promise<string>>()
        .mockRejectedValueOnce(new Error('first'))
        .mockRejectedValueOnce(new Error('second'));
      const call = watch(pipeline.execute(run));
      await elapse(99);
      expect(fallback).not.toHaveBeenCalled();
      await elapse(1);
      expect(run).toHaveBeenCalledTimes(2);
      expect(fallback).toHaveBeenCalledTimes(1);
      expect(call.value).toBe('second');
    });

    it('leaves the slot of the bulkhead free during the backoff', async () => {
      const { pipeline, name } = named({
        retry: ONE_RETRY,
        bulkhead: { maxConcurrent: 1, queueLimit: 0 },
      });
      const run = jest
        .fn<() => Promise<string>>()
        .mockRejectedValueOnce(new Error('down'))
        .mockResolvedValue('up');
      const call = watch(pipeline.execute(run));
      await elapse(50);
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
      expect(await pipeline.execute(async () => 'between')).toBe('between');
      await elapse(50);
      expect(call.value).toBe('up');
    });

    it('retries the rejection of a full bulkhead, which the breaker does not count', async () => {
      const { pipeline, name } = named({
        retry: ONE_RETRY,
        circuitBreaker: { failureThreshold: 1 },
        bulkhead: { maxConcurrent: 1, queueLimit: 0 },
      });
      const work = new Deferred<string>();
      const first = watch(pipeline.execute(() => work.promise));
      const second = watch(pipeline.execute(async () => 'second'));
      await elapse(50);
      work.resolve('first');
      await elapse(50);
      expect([first.value, second.value]).toEqual(['first', 'second']);
      expect(app.breakers.get(name).getState()).toBe(CircuitState.CLOSED);
    });

    it('begins no waiting call once the breaker has opened, which learns nothing from that', async () => {
      const judged: unknown[] = [];
      const isFailure = (error: unknown) => judged.push(error) > 0;
      const { pipeline } = named({
        circuitBreaker: { failureThreshold: 1, isFailure },
        bulkhead: { maxConcurrent: 1 },
      });
      const first = new Deferred();
      const run = jest.fn(() => first.promise);
      const calls = [1, 2, 3].map(() => watch(pipeline.execute(run)));
      first.reject('down');
      await flush();
      expect(run).toHaveBeenCalledTimes(1);
      expect(calls.map(({ error }) => (error as Partial<Error>).name)).toEqual([
        undefined,
        'CircuitBreakerOpenError',
        'CircuitBreakerOpenError',
      ]);
      expect(judged).toEqual(['down']);
      expect(pipeline.plan.stages.bulkhead?.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    });

    it('does not open it again for a probe that has waited too long to begin', async () => {
      const { pipeline } = named({
        circuitBreaker: {
          failureThreshold: 1,
          successThreshold: 1,
          timeoutMs: 100,
          isFailure: () => true,
        },
        bulkhead: { maxConcurrent: 1 },
      });
      await pipeline.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
      const other = new Deferred();
      void pipeline.plan.stages.bulkhead?.execute(() => other.promise);
      await elapse(100);
      const late = watch(pipeline.execute(async () => 'late'));
      await elapse(100);
      const probe = watch(pipeline.execute(async () => 'back'));
      other.resolve('done');
      await flush();
      expect((late.error as Error).name).toBe('CircuitBreakerOpenError');
      expect(probe.value).toBe('back');
      expect(pipeline.plan.stages.circuitBreaker?.getState()).toBe('CLOSED');
    });

    it('surfaces the rejection of a bulkhead that stays full', async () => {
      const { pipeline } = named({
        retry: ONE_RETRY,
        bulkhead: { maxConcurrent: 1, queueLimit: 0 },
      });
      const work = new Deferred();
      watch(pipeline.execute(() => work.promise));
      const second = watch(pipeline.execute(never));
      await elapse(100);
      expect(second.error).toBeInstanceOf(BulkheadRejectedError);
      work.resolve(undefined);
    });

    it('does not retry the rejection of an open breaker', async () => {
      const { pipeline, name } = named({ retry: ONE_RETRY, circuitBreaker: {} });
      app.breakers.get(name).forceOpen();
      const call = watch(pipeline.execute(never));
      await flush();
      expect(call.error).toBeInstanceOf(CircuitBreakerOpenError);
      expect(app.metrics.get('retry.attempt', { operation: name })).toBe(0);
    });

    it('retries a timeout', async () => {
      const { pipeline } = named({ retry: ONE_RETRY, timeoutMs: 50 });
      const run = jest.fn<() => Promise<string>>(never).mockImplementationOnce(never);
      run.mockImplementationOnce(async () => 'second');
      const call = watch(pipeline.execute(run));
      run.mockImplementation(async () => 'second');
      await elapse(150);
      expect(call.value).toBe('second');
    });

    it('surfaces what the isFailure of its breaker throws, about an error and about its timeout', async () => {
      const mistake = new Error('a mistake in isFailure');
      const isFailure = () => {
        throw mistake;
      };
      const { pipeline, name } = named({ timeoutMs: 100, circuitBreaker: { isFailure } });
      expect(await failure(pipeline.execute(() => Promise.reject(new Error('down'))))).toBe(
        mistake,
      );
      const late = watch(pipeline.execute(never));
      await elapse(100);
      expect(late.error).toBe(mistake);
      expect(app.breakers.get(name).getSnapshot()).toMatchObject({ calls: 2, failures: 2 });
    });

    it('is cut in its backoff by the deadline around it: its failed attempt is counted once, and so is it', async () => {
      const { pipeline, name } = named({
        retry: { ...ONE_RETRY, baseDelayMs: 1_000 },
        circuitBreaker: {},
      });
      const deadline = new DOMException('time is up', 'TimeoutError');
      const caller = new AbortController();
      const down = () => Promise.reject(new Error('down'));
      const call = watch(pipeline.execute(down, { signal: caller.signal }));
      await elapse(500);
      caller.abort(deadline);
      await elapse(1_000);
      expect(call.error).toBe(deadline);
      expect(app.breakers.get(name).getSnapshot()).toMatchObject({ calls: 1, failures: 1 });
      expect(app.metrics.get('requests.total', { operation: name })).toBe(1);
    });

    it.each([true, undefined])(
      'alerts when a deadline cuts it, if it is critical: %p',
      async (critical) => {
        const { pipeline, name } = named({ ...(critical && { critical }) });
        const alerts: unknown[] = [];
        const heard = app.events.events$.subscribe((event) => {
          if (event.type === 'alert') alerts.push(event.operation);
        });
        const cut = watch(
          named({ timeoutMs: 100 }).pipeline.execute(() => pipeline.execute(never)),
        );
        await elapse(100);
        expect(cut.error).toBeInstanceOf(TimeoutError);
        expect(alerts).toEqual(critical ? [name] : []);
        heard.unsubscribe();
      },
    );

    it.each([
      ['that goes well', () => 'answer'],
      ['that fails by its client', () => Promise.reject(new BadRequestException())],
      ['that fails', () => Promise.reject(new Error('down'))],
    ])('tells how long a call took %s', async (_, end) => {
      const { pipeline, name } = named({});
      await elapse(1_000);
      const work = new Deferred<void>();
      const call = watch(pipeline.execute(() => work.promise.then(end)));
      await elapse(50);
      work.resolve();
      await flush();
      expect(call.state).not.toBe('pending');
      const told = app.metrics.snapshot().filter(({ tags }) => tags.operation === name);
      expect(told).toContainEqual(expect.objectContaining({ name: 'request.duration', max: 50 }));
    });

    it('hands the call to the fallback as its arguments, then the error', async () => {
      const call = watch(app.module.get(Orders).find(7));
      await elapse(600);
      expect(call.value).toBe('7 after TimeoutError');
    });

    it('throws the very error of the last attempt', async () => {
      const { pipeline } = named({ retry: ONE_RETRY, circuitBreaker: {}, timeoutMs: 1000 });
      const errors = [new Error('first'), new Error('last')];
      const call = watch(pipeline.execute(({ attempt }) => Promise.reject(errors[attempt - 1])));
      await elapse(100);
      expect(call.error).toBe(errors[1]);
    });

    it('runs without any stage, and counts the call', async () => {
      const { pipeline, name } = named({});
      expect(await pipeline.execute(async () => 42)).toBe(42);
      expect(app.metrics.get('requests.total', { operation: name, outcome: 'success' })).toBe(1);
      expect(jest.getTimerCount()).toBe(0);
    });
  });

  describe('a failure', () => {
    it('means the same as a rejected promise, a synchronous throw and an error of an Observable', async () => {
      const error = new Error('down');
      const outcomes = [];
      for (const way of [
        (pipeline: Pipeline) => pipeline.execute(() => Promise.reject(error)),
        (pipeline: Pipeline) =>
          pipeline.execute(() => {
            throw error;
          }),
        (pipeline: Pipeline) => firstValueFrom(pipeline.observe(() => throwError(() => error))),
        (pipeline: Pipeline) =>
          firstValueFrom(
            pipeline.observe(() => {
              throw error;
            }),
          ),
      ]) {
        const { pipeline, name } = named({
          retry: ONE_RETRY,
          timeoutMs: 1000,
          circuitBreaker: { failureThreshold: 2 },
          bulkhead: {},
        });
        const call = watch(way(pipeline));
        await elapse(100);
        expect(call.error).toBe(error);
        outcomes.push({
          state: app.breakers.get(name).getState(),
          running: app.bulkheads.get(name).getSnapshot().running,
          retries: app.metrics.get('retry.attempt', { operation: name }),
          failures: app.metrics.get('requests.total', { operation: name, outcome: 'failure' }),
        });
      }
      expect(outcomes).toEqual(
        Array(4).fill({ state: CircuitState.OPEN, running: 0, retries: 1, failures: 1 }),
      );
    });

    it('thrown synchronously leaves no timer behind', async () => {
      const { pipeline } = named({ timeoutMs: 1000 });
      const call = watch(
        pipeline.execute(() => {
          throw new Error('at once');
        }),
      );
      await flush();
      expect(call.state).toBe('rejected');
      expect(jest.getTimerCount()).toBe(0);
    });

    it('is not made worse by a listener to events that throws at each of them', async () => {
      app.module.useLogger(false);
      const { pipeline } = named({
        retry: ONE_RETRY,
        timeoutMs: 50,
        circuitBreaker: { failureThreshold: 2 },
        bulkhead: { maxConcurrent: 1, queueLimit: 0 },
        fallback: () => 'fallback',
      });
      const listener = jest.fn(() => {
        throw new Error('a broken listener');
      });
      const subscription = app.events.events$.subscribe(listener);
      const call = watch(pipeline.execute(never));
      await elapse(1_000);
      expect(call.value).toBe('fallback');
      expect(listener.mock.calls.length).toBeGreaterThan(3);
      subscription.unsubscribe();
    });

    it.each([['a string'], [undefined], [null], [0]])('may be anything: %p', async (thrown) => {
      const { pipeline } = named({ retry: ONE_RETRY, circuitBreaker: {}, timeoutMs: 1000 });
      const call = watch(pipeline.execute(() => Promise.reject(thrown)));
      await elapse(100);
      expect(call.state).toBe('rejected');
      expect(call.error).toBe(thrown);
    });
  });

  describe('a thenable', () => {
    class Query implements PromiseLike<string> {
      static executed = 0;

      // biome-ignore lint/suspicious/noThenProperty: as query builders have it
      then<A, B>(
        onFulfilled?: ((rows: string) => A | PromiseLike<A>) | null,
        onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        Query.executed++;
        const rows =
          Query.executed === 1 ? Promise.reject(new Error('down')) : Promise.resolve('rows');
        return rows.then(onFulfilled, onRejected);
      }
    }

    it('that a method returns is executed exactly once per attempt', async () => {
      Query.executed = 0;
      const { pipeline } = named({
        retry: ONE_RETRY,
        circuitBreaker: {},
        timeoutMs: 1000,
        bulkhead: {},
        fallback: () => 'fallback',
      });
      const call = watch(pipeline.execute(() => new Query()));
      await elapse(100);
      expect(call.value).toBe('rows');
      expect(Query.executed).toBe(2);
    });

    it('that a fallback returns is executed exactly once', async () => {
      Query.executed = 1;
      const { pipeline } = named({ fallback: () => new Query() });
      expect(await pipeline.execute(() => Promise.reject(new Error('down')))).toBe('rows');
      expect(Query.executed).toBe(2);
    });

    it('is executed in the attempt, where currentSignal() is the attempt’s', async () => {
      const { pipeline } = named({ timeoutMs: 50 });
      let seen: AbortSignal | undefined;
      const call = watch(
        pipeline.execute(() => ({
          // biome-ignore lint/suspicious/noThenProperty: as query builders have it
          then() {
            seen = currentSignal();
            return never();
          },
        })),
      );
      await elapse(50);
      expect(seen?.reason).toBe(call.error);
    });

    describe('of a class that extends Promise', () => {
      class Lazy<T> extends Promise<T> {
        static override get [Symbol.species]() {
          return Promise;
        }
      }

      it('is executed in the attempt', async () => {
        const { pipeline } = named({ timeoutMs: 50 });
        const seen: AbortSignal[] = [];
        class Rows extends Lazy<string> {
          // biome-ignore lint/suspicious/noThenProperty: as lazy queries have it
          override then<R, E>(...handlers: Parameters<Promise<string>['then']>): Promise<R | E> {
            seen.push(currentSignal());
            return super.then(...handlers) as Promise<R | E>;
          }
        }
        let signal: AbortSignal | undefined;
        const rows = await pipeline.execute((attempt) => {
          signal = attempt.signal;
          return new Rows((resolve) => resolve('rows'));
        });
        expect(rows).toBe('rows');
        expect(seen).toEqual([signal]);
      });

      it('fails the attempt where that throws, and leaves no slot behind', async () => {
        const { pipeline } = named({ bulkhead: {} });
        class Broken extends Lazy<string> {
          // biome-ignore lint/suspicious/noThenProperty: as lazy queries have it
          override then(): never {
            throw new Error('no connection');
          }
        }
        const call = watch(pipeline.execute(() => new Broken(() => undefined)));
        await flush();
        expect((call.error as Error).message).toBe('no connection');
        expect(pipeline.plan.stages.bulkhead?.getSnapshot().running).toBe(0);
      });
    });
  });

  describe('the signal', () => {
    it('is the same for currentSignal() and the attempt, also after an await', async () => {
      await named({}).pipeline.execute(async (attempt) => {
        const first = currentSignal();
        await Promise.resolve();
        expect(currentSignal()).toBe(first);
        expect(attempt.signal).toBe(first);
      });
    });

    it('outside a resilient call never aborts, and is not that of a call that ended', async () => {
      let inside: AbortSignal | undefined;
      await named({ timeoutMs: 10 }).pipeline.execute(async ({ signal }) => {
        inside = signal;
      });
      const outside = currentSignal();
      expect(outside).toBeInstanceOf(AbortSignal);
      expect(outside.aborted).toBe(false);
      expect(outside).not.toBe(inside);
    });

    it('of a nested call is its own, and aborts with the outer one', async () => {
      const outer = named({ timeoutMs: 100 }).pipeline;
      const inner = named({}).pipeline;
      const signals: AbortSignal[] = [];
      watch(
        outer.execute(async () => {
          signals.push(currentSignal());
          await inner.execute(async () => {
            signals.push(currentSignal());
          });
          signals.push(currentSignal());
          return never();
        }),
      );
      await elapse(100);
      const [first, innerSignal, again] = signals;
      expect(again).toBe(first);
      expect(innerSignal).not.toBe(first);
      expect(first?.aborted).toBe(true);
      expect(innerSignal?.aborted).toBe(false); // that call had ended well
    });

    it('is made only when somebody asks for it', async () => {
      let made = 0;
      const Original = AbortController;
      class Counted extends AbortController {
        constructor() {
          super();
          made++;
        }
      }
      globalThis.AbortController = Counted;
      try {
        const { pipeline } = named({
          retry: ONE_RETRY,
          circuitBreaker: {},
          timeoutMs: 50,
          bulkhead: {},
          fallback: () => 'fallback',
        });
        await pipeline.execute(async () => 'well');
        watch(pipeline.execute(() => pipeline.execute(never)));
        await elapse(1_000);
        expect(made).toBe(0);
        await pipeline.execute(async (attempt) => [
          attempt.signal,
          attempt.signal,
          currentSignal(),
        ]);
        expect(made).toBe(1);
      } finally {
        globalThis.AbortController = Original;
      }
    });

    it('is a fresh one for each attempt, never born aborted', async () => {
      const orders = app.module.get(Orders);
      orders.signals.length = 0;
      const states: boolean[] = [];
      const { pipeline } = named({ retry: { ...ONE_RETRY, maxAttempts: 3 }, timeoutMs: 50 });
      watch(
        pipeline.execute(({ signal }) => {
          states.push(signal.aborted);
          return never();
        }),
      );
      watch(orders.find(1));
      await elapse(1_000);
      expect(states).toEqual([false, false, false]);
      expect(new Set(orders.signals).size).toBe(3);
    });

    it('never aborts after a call that ended well, whatever its caller does then', async () => {
      const caller = new AbortController();
      const outer = named({ timeoutMs: 100 }).pipeline;
      const { pipeline } = named({ timeoutMs: 50 });
      const signals: AbortSignal[] = [];
      const note = async () => {
        signals.push(currentSignal());
      };
      await pipeline.execute(note, { signal: caller.signal });
      await lastValueFrom(pipeline.observe(() => defer(note), { signal: caller.signal }));
      watch(
        outer.execute(async () => {
          await pipeline.execute(note);
          await never();
        }),
      );
      await elapse(200);
      caller.abort();
      await elapse(200);
      expect(signals).toHaveLength(3);
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    });

    it('is aborted for one who asks for it only after the timeout', async () => {
      let late: AbortSignal | undefined;
      const call = watch(
        named({ timeoutMs: 100 }).pipeline.execute(async (attempt) => {
          await new Promise((resolve) => setTimeout(resolve, 150));
          late = attempt.signal;
        }),
      );
      await elapse(150);
      expect(late?.aborted).toBe(true);
      expect(late?.reason).toBe(call.error);
    });

    it.each(['a signal', 'the call around'])(
      'carries the abort of %s to listeners in their own async context',
      async (whose) => {
        const user = new AsyncLocalStorage<string>();
        const seen: (string | undefined)[] = [];
        const caller = new AbortController();
        const { signal } = caller;
        const { pipeline } = named({});
        const begin = (options: { signal?: AbortSignal }) => {
          for (const who of ['ann', 'bob'])
            user.run(who, () =>
              watch(
                pipeline.execute((attempt) => {
                  attempt.signal.addEventListener('abort', () => seen.push(user.getStore()));
                  return never();
                }, options),
              ),
            );
          return never();
        };
        if (whose === 'a signal') void begin({ signal });
        else watch(named({}).pipeline.execute(() => begin({}), { signal }));
        user.run('whoever aborts', () => caller.abort());
        expect(seen).toEqual(['ann', 'bob']);
      },
    );
  });

  describe('a caller that gives up', () => {
    const reason = new Error('lost interest');

    interface Phase {
      name: string;
      options: ServiceOptions;
      /** Brings a call into the phase. */
      begin(pipeline: Pipeline, signal: AbortSignal, name: string): Promise<unknown>;
      attempts: number;
      after?: () => void;
    }

    const held = new Deferred();
    const phases: Phase[] = [
      {
        name: 'while the method runs',
        options: { retry: ONE_RETRY, timeoutMs: 1000, circuitBreaker: {}, bulkhead: {} },
        begin: (pipeline, signal) => pipeline.execute(never, { signal }),
        attempts: 0,
      },
      {
        name: 'while it waits in the queue',
        options: {
          retry: ONE_RETRY,
          timeoutMs: 1000,
          circuitBreaker: {},
          bulkhead: { maxConcurrent: 1 },
        },
        begin: (pipeline, signal, name) => {
          watch(app.bulkheads.get(name).execute(() => held.promise));
          return pipeline.execute(never, { signal });
        },
        attempts: 0,
        after: () => held.resolve(undefined),
      },
      {
        name: 'during the backoff',
        options: { retry: ONE_RETRY, timeoutMs: 1000, circuitBreaker: {} },
        begin: (pipeline, signal) =>
          pipeline.execute(() => Promise.reject(new Error('down')), { signal }),
        attempts: 1, // of which the breaker had its failure
      },
      {
        name: 'in the fallback',
        options: { timeoutMs: 1000, circuitBreaker: {}, fallback: never },
        begin: (pipeline, signal) =>
          pipeline.execute(() => Promise.reject(new Error('down')), { signal }),
        attempts: 1,
      },
      {
        name: 'in the fallback of a call that an open breaker refused',
        options: { timeoutMs: 1000, circuitBreaker: {}, fallback: never, critical: false },
        begin: (pipeline, signal, name) => {
          app.breakers.get(name).forceOpen();
          return pipeline.execute(never, { signal });
        },
        attempts: 0,
      },
    ];

    it.each(phases)('$name gets its reason at once, and nothing is counted', async (phase) => {
      const { pipeline, name } = named(phase.options);
      const caller = new AbortController();
      const tracked = app.tracker.getMetrics();
      const call = watch(phase.begin(pipeline, caller.signal, name));
      await flush();
      expect(call.state).toBe('pending');
      caller.abort(reason);
      await Promise.resolve();
      await flush();
      expect(call.state).toBe('rejected');
      expect(call.error).toBe(reason);
      expect(app.metrics.get('requests.total', { operation: name })).toBe(0);
      expect(app.metrics.get('service.error', { operation: name })).toBe(0);
      expect(app.tracker.getMetrics()).toEqual(tracked);
      const { calls, failures } = app.breakers.get(name).getSnapshot();
      expect([calls, failures]).toEqual([phase.attempts, phase.attempts]);
      expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
      expect(jest.getTimerCount()).toBe(0);
      phase.after?.();
      await flush();
    });

    it('before the start gets its reason, and nothing is called', async () => {
      const run = jest.fn(never);
      const fallback = jest.fn(() => 'instead');
      const { pipeline, name } = named({
        critical: true,
        retry: ONE_RETRY,
        timeoutMs: 1000,
        circuitBreaker: {},
        bulkhead: {},
        fallback,
      });
      expect(await failure(pipeline.execute(run, { signal: AbortSignal.abort(reason) }))).toBe(
        reason,
      );
      expect(run).not.toHaveBeenCalled();
      expect(fallback).not.toHaveBeenCalled();
      expect(app.metrics.get('requests.total', { operation: name })).toBe(0);
      expect(app.breakers.get(name).getSnapshot().calls).toBe(0);
    });

    it('gets the reason also where it degrades to null otherwise, and where a fallback would answer', async () => {
      for (const options of [{ critical: false }, { fallback: () => 'instead' }]) {
        const caller = new AbortController();
        const call = watch(named(options).pipeline.execute(never, { signal: caller.signal }));
        caller.abort(reason);
        await flush();
        expect(call.error).toBe(reason);
      }
    });

    it('gets whatever the reason is: a DOMException by default, and odd ones as they are', async () => {
      const given: [() => AbortSignal, unknown][] = [
        [() => AbortSignal.abort(), expect.objectContaining({ name: 'AbortError' })],
        [() => AbortSignal.abort(null), null],
        [() => AbortSignal.abort('a string'), 'a string'],
      ];
      for (const [make, expected] of given) {
        expect(
          await failure(named({ retry: ONE_RETRY }).pipeline.execute(never, { signal: make() })),
        ).toEqual(expected);
      }
    });

    it('gets the first reason where one who hears of it gives another', async () => {
      const { pipeline } = named({});
      const [first, second] = [new AbortController(), new AbortController()];
      let inner: Promise<unknown> | undefined;
      const outer = failure(
        named({}).pipeline.execute(
          () => {
            inner = failure(
              pipeline.execute(
                (attempt) => {
                  attempt.signal.addEventListener('abort', () => second.abort(new Error('second')));
                  return never();
                },
                { signal: first.signal },
              ),
            );
            return never();
          },
          { signal: second.signal },
        ),
      );
      first.abort(reason);
      expect(await inner).toBe(reason);
      expect(await outer).toMatchObject({ message: 'second' });
    });

    it('has its probe give back the permit', async () => {
      const { pipeline, name } = named({
        circuitBreaker: { failureThreshold: 1, successThreshold: 1, timeoutMs: 1000 },
      });
      watch(pipeline.execute(() => Promise.reject(new Error('down'))));
      await elapse(1000);
      const caller = new AbortController();
      watch(pipeline.execute(never, { signal: caller.signal }));
      expect(await failure(pipeline.execute(never))).toBeInstanceOf(CircuitBreakerOpenError);
      caller.abort();
      await flush();
      expect(app.breakers.get(name).getState()).toBe(CircuitState.HALF_OPEN);
      expect(await pipeline.execute(async () => 'probe')).toBe('probe');
      expect(app.breakers.get(name).getState()).toBe(CircuitState.CLOSED);
    });

    it('ends the call even if the method listens and takes its time to clean up, and drops its late error', async () => {
      const caller = new AbortController();
      const call = watch(
        named({}).pipeline.execute(
          ({ signal }) =>
            new Promise((_, reject) => {
              signal.addEventListener('abort', () => {
                setTimeout(() => reject(new Error('cleaned up')), 500);
              });
            }),
          { signal: caller.signal },
        ),
      );
      await flush();
      caller.abort(reason);
      await flush();
      expect(call.error).toBe(reason);
      await elapse(500);
      expect(call.error).toBe(reason);
    });

    it('ends it at once also when it gives up while it hears of the retry', async () => {
      const caller = new AbortController();
      const { pipeline, name } = named({ retry: { ...ONE_RETRY, baseDelayMs: 5_000 } });
      const subscription = app.events.events$.subscribe((event) => {
        if (event.type === 'retry' && event.operation === name) caller.abort(reason);
      });
      const call = watch(
        pipeline.execute(() => Promise.reject(new Error('down')), { signal: caller.signal }),
      );
      await flush();
      subscription.unsubscribe();
      expect(call.error).toBe(reason);
    });

    it('starts no fallback when it gives up while it is asked for one', async () => {
      const caller = new AbortController();
      const fallback = jest.fn(() => 'instead');
      const alerting = await ResilienceApp.boot({
        alerts: { sendCritical: () => caller.abort(reason) },
      });
      const call = watch(
        alerting
          .pipeline({ critical: true, fallback })
          .execute(() => Promise.reject(new Error('down')), { signal: caller.signal }),
      );
      await flush();
      await alerting.close();
      jest.useFakeTimers();
      expect(call.error).toBe(reason);
      expect(fallback).not.toHaveBeenCalled();
    });

    it('with one signal for 50 concurrent calls is told of no leak, and no listener is left', async () => {
      const warnings: string[] = [];
      const host = runInThisContext('process') as NodeJS.Process; // Jest's is a copy that hears nothing
      const onWarning = ({ name }: Error) => warnings.push(name);
      host.on('warning', onWarning);
      try {
        const { pipeline } = named({ retry: ONE_RETRY, timeoutMs: 1000 });
        const caller = new AbortController();
        const work = new Deferred<string>();
        const calls = Array.from({ length: 50 }, () =>
          watch(
            pipeline.execute(
              ({ signal }) => {
                for (let listener = 0; listener < 20; listener++)
                  signal.addEventListener('abort', () => undefined);
                return work.promise;
              },
              { signal: caller.signal },
            ),
          ),
        );
        expect(getEventListeners(caller.signal, 'abort').length).toBeLessThanOrEqual(1);
        work.resolve('well');
        await flush();
        expect(calls.every(({ value }) => value === 'well')).toBe(true);
        expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);

        const running = Array.from({ length: 50 }, () =>
          watch(pipeline.execute(never, { signal: caller.signal })),
        );
        caller.abort(reason);
        await flush();
        expect(running.every(({ error }) => error === reason)).toBe(true);
        expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
        jest.useRealTimers();
        await new Promise((resolve) => setImmediate(resolve));
        jest.useFakeTimers();
        expect(warnings).toEqual([]);
      } finally {
        host.off('warning', onWarning);
      }
    });

    it('does not hurt the other calls on its signal when one of them had already ended', async () => {
      const caller = new AbortController();
      const { pipeline } = named({ timeoutMs: 50 });
      const ended = watch(pipeline.execute(never, { signal: caller.signal }));
      const other = named({}).pipeline;
      const running = watch(other.execute(never, { signal: caller.signal }));
      await elapse(50);
      expect(ended.error).toBeInstanceOf(TimeoutError);
      caller.abort(reason);
      await flush();
      expect(running.error).toBe(reason);
    });
  });

  describe('a late rejection', () => {
    // An unhandled rejection fails the test by itself.
    it.each([
      ['a timeout', { timeoutMs: 50 }],
      ['a timeout, retries and a fallback', { timeoutMs: 50, retry: ONE_RETRY, fallback: () => 1 }],
      ['a degraded call', { timeoutMs: 50, critical: false }],
    ])('is never unhandled after %s', async (_, options: ServiceOptions) => {
      const works: Deferred[] = [];
      const call = watch(
        named(options).pipeline.execute(() => {
          const work = new Deferred();
          works.push(work);
          return work.promise;
        }),
      );
      await elapse(500);
      expect(call.state).not.toBe('pending');
      for (const work of works) work.reject(new Error('too late'));
      jest.useRealTimers();
      await new Promise((resolve) => setImmediate(resolve));
      jest.useFakeTimers();
    });

    it('of a fallback whose caller has gone is never unhandled', async () => {
      const caller = new AbortController();
      const work = new Deferred();
      const { pipeline } = named({ fallback: () => work.promise });
      const call = watch(
        pipeline.execute(() => Promise.reject(new Error('down')), { signal: caller.signal }),
      );
      await flush();
      caller.abort();
      await flush();
      expect(call.state).toBe('rejected');
      work.reject(new Error('too late'));
      jest.useRealTimers();
      await new Promise((resolve) => setImmediate(resolve));
      jest.useFakeTimers();
    });
  });

  describe('of an application that closes', () => {
    async function closing(options: ServiceOptions) {
      const closed = await ResilienceApp.boot();
      return {
        pipeline: closed.pipeline({ name: 'closing', ...options }),
        close: async () => {
          await closed.close();
          jest.useFakeTimers();
        },
      };
    }

    it('ends a backoff at once with the last error', async () => {
      const { pipeline, close } = await closing({ retry: { ...ONE_RETRY, baseDelayMs: 5_000 } });
      const error = new Error('down');
      const run = jest.fn(() => Promise.reject(error));
      const call = watch(pipeline.execute(run));
      await flush();
      await close();
      expect(call.error).toBe(error);
      expect(run).toHaveBeenCalledTimes(1);
    });

    it('still lets a fallback answer for the backoff that it ended', async () => {
      const { pipeline, close } = await closing({
        retry: { ...ONE_RETRY, baseDelayMs: 5_000 },
        fallback: () => 'instead',
      });
      const call = watch(pipeline.execute(() => Promise.reject(new Error('down'))));
      await flush();
      await close();
      expect(call.value).toBe('instead');
    });

    it('begins no backoff any more', async () => {
      const { pipeline, close } = await closing({ retry: ONE_RETRY });
      const work = new Deferred();
      const run = jest.fn(() => work.promise);
      const call = watch(pipeline.execute(run));
      await close();
      work.reject(new Error('down'));
      await flush();
      expect(call.error).toMatchObject({ message: 'down' });
      expect(run).toHaveBeenCalledTimes(1);
    });

    it('makes no other attempt where one who hears of the retry closes it', async () => {
      const closed = await ResilienceApp.boot();
      const pipeline = closed.pipeline({ retry: { ...ONE_RETRY, baseDelayMs: 0 } });
      closed.events.events$.subscribe(({ type }) => {
        if (type === 'retry') pipeline.plan.shutdown.begin(0);
      });
      const run = jest.fn(() => Promise.reject(new Error('down')));
      const call = watch(pipeline.execute(run));
      await elapse(100);
      expect(call.error).toMatchObject({ message: 'down' });
      expect(run).toHaveBeenCalledTimes(1);
      await closed.close();
      jest.useFakeTimers();
    });

    it('ends a queued call with reason shutdown and without another attempt', async () => {
      const { pipeline, close } = await closing({
        retry: ONE_RETRY,
        bulkhead: { maxConcurrent: 1 },
      });
      const work = new Deferred<string>();
      const running = watch(pipeline.execute(() => work.promise));
      const run = jest.fn(never);
      const queued = watch(pipeline.execute(run));
      await flush();
      await close();
      expect(queued.error).toMatchObject({ name: 'BulkheadRejectedError', reason: 'shutdown' });
      expect(run).not.toHaveBeenCalled();
      work.resolve('still ends well');
      await flush();
      expect(running.value).toBe('still ends well');
    });
  });
});

describe('A resilient handler', () => {
  const outside = { intercepted: 0 };

  class CountingInterceptor implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler) {
      outside.intercepted++;
      return next.handle();
    }
  }

  @Controller('stock')
  class StockController {
    runs = 0;

    @Get()
    @UseInterceptors(CountingInterceptor)
    @Retry({ maxAttempts: 2, baseDelayMs: 1 })
    async find(): Promise<{ run: number }> {
      this.runs++;
      if (this.runs === 1) throw new ServiceUnavailableException();
      return { run: this.runs };
    }
  }

  it('runs twice with two attempts, and the interceptors around it once', async () => {
    outside.intercepted = 0;
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot()],
      controllers: [StockController],
    }).compile();
    const http = module.createNestApplication();
    await http.init();
    const response = await request(http.getHttpServer()).get('/stock');
    await http.close();
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ run: 2 });
    expect(outside.intercepted).toBe(1);
  });
});
