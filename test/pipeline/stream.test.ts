import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
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
  concat,
  defer,
  EMPTY,
  firstValueFrom,
  interval,
  lastValueFrom,
  map,
  mergeMap,
  NEVER,
  Observable,
  of,
  range,
  type Subscriber,
  take,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import {
  CircuitBreaker,
  CircuitBreakerOpenError,
  CircuitState,
  currentSignal,
  Fallback,
  type Pipeline,
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

/** What a subscriber gets, as it comes. */
class Received<T> {
  readonly values: T[] = [];
  error: unknown = undefined;
  state: 'open' | 'completed' | 'failed' = 'open';
  readonly subscription;

  constructor(stream: Observable<T>) {
    this.subscription = stream.subscribe({
      next: (value) => this.values.push(value),
      error: (error) => {
        this.state = 'failed';
        this.error = error;
      },
      complete: () => {
        this.state = 'completed';
      },
    });
  }
}

function receive<T>(stream: Observable<T>): Received<T> {
  return new Received(stream);
}

/** A source that the test feeds, and that knows who is subscribed. */
class Source<T = number> {
  subscriptions = 0;
  open = 0;
  subscriber!: Subscriber<T>;
  readonly values$ = new Observable<T>((subscriber) => {
    this.subscriptions++;
    this.open++;
    this.subscriber = subscriber;
    return () => {
      this.open--;
    };
  });
}

@Injectable()
class Prices {
  source = new Source();
  calls: unknown[][] = [];
  signal: AbortSignal | undefined;
  down = false;

  @Retry(ONE_RETRY)
  @Timeout(1_000)
  @CircuitBreaker({ failureThreshold: 100 })
  @Fallback('lastKnown')
  watch(...args: string[]): Observable<number> {
    this.calls.push(args);
    this.signal = currentSignal();
    if (this.down) throw new Error('down');
    return this.source.values$;
  }

  lastKnown(...args: unknown[]): Observable<number> {
    return of(args.length, -1);
  }
}

describe('A resilient Observable', () => {
  let app: ResilienceApp;
  let prices: Prices;
  let names = 0;

  beforeAll(async () => {
    app = await ResilienceApp.boot({}, [Prices]);
    prices = app.module.get(Prices);
  });
  beforeEach(() => {
    jest.useFakeTimers();
    prices.source = new Source();
    prices.calls = [];
    prices.down = false;
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
  afterAll(() => app.close());

  function named(options: ServiceOptions): { pipeline: Pipeline; name: string } {
    const name = `stream-${names++}`;
    return { pipeline: app.pipeline({ name, ...options }), name };
  }

  describe('of a decorated method', () => {
    it('calls the method at each subscription, and not before', async () => {
      const stream = prices.watch('a', 'b');
      expect(prices.calls).toEqual([]);
      const first = receive(stream);
      const second = receive(stream);
      await flush();
      expect(prices.calls).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ]);
      for (const { subscription } of [first, second]) subscription.unsubscribe();
      expect(prices.source.open).toBe(0);
    });

    it('passes values on as they come, and the end', async () => {
      const received = receive(prices.watch());
      prices.source.subscriber.next(1);
      await elapse(5_000);
      prices.source.subscriber.next(2);
      expect(received.values).toEqual([1, 2]);
      prices.source.subscriber.complete();
      expect(received.state).toBe('completed');
    });

    it('subscribes again for a retry', async () => {
      const received = receive(prices.watch());
      prices.source.subscriber.error(new Error('down'));
      await elapse(99);
      expect(prices.source.subscriptions).toBe(1);
      await elapse(1);
      expect(prices.calls).toHaveLength(2);
      expect(prices.source).toMatchObject({ subscriptions: 2, open: 1 });
      prices.source.subscriber.next(1);
      prices.source.subscriber.complete();
      expect(received).toMatchObject({ values: [1], state: 'completed' });
    });

    it('takes a synchronous throw for a failed attempt, and hands arguments and error to the fallback', async () => {
      prices.down = true;
      const received = receive(prices.watch('a', 'b'));
      await elapse(100);
      expect(prices.calls).toHaveLength(2);
      expect(received).toMatchObject({ values: [3, -1], state: 'completed' });
    });

    it('aborts the signal of the method when the subscriber leaves', async () => {
      const received = receive(prices.watch());
      expect(prices.signal?.aborted).toBe(false);
      received.subscription.unsubscribe();
      expect(prices.signal?.aborted).toBe(true);
      await flush();
    });
  });

  describe('under a timeout', () => {
    it('has this time for its first value', async () => {
      const source = new Source();
      const received = receive(named({ timeoutMs: 100 }).pipeline.observe(() => source.values$));
      await elapse(99);
      expect(received.state).toBe('open');
      await elapse(1);
      expect(received.error).toBeInstanceOf(TimeoutError);
      expect(source.open).toBe(0);
    });

    it('has all the time in the world after it', async () => {
      const received = receive(
        named({ timeoutMs: 100 }).pipeline.observe(() =>
          concat(timer(99), timer(10_000), timer(10_000)),
        ),
      );
      await elapse(20_099);
      expect(received).toMatchObject({ values: [0, 0, 0], state: 'completed' });
    });

    it('may end within it without a value', async () => {
      const { pipeline, name } = named({ timeoutMs: 100, circuitBreaker: {} });
      const received = receive(pipeline.observe(() => EMPTY));
      await flush();
      expect(received).toMatchObject({ values: [], state: 'completed' });
      expect(app.breakers.get(name).getSnapshot().successes).toBe(1);
    });

    it('is retried with a fresh subscription, and a late value of the first goes nowhere', async () => {
      const sources = [new Source(), new Source()];
      const received = receive(
        named({ timeoutMs: 100, retry: ONE_RETRY }).pipeline.observe(
          ({ attempt }) => (sources[attempt - 1] as Source).values$,
        ),
      );
      await elapse(200);
      sources[0]?.subscriber.next(1);
      sources[1]?.subscriber.next(2);
      sources[1]?.subscriber.complete();
      expect(received).toMatchObject({ values: [2], state: 'completed' });
    });

    it('may make resilient calls inside for as long as it flows', async () => {
      const inner = named({}).pipeline;
      const received = receive(
        named({ timeoutMs: 100 }).pipeline.observe(({ signal: _ }) => {
          const inContext = AsyncLocalStorage.snapshot(); // as Node's own timers have it
          return interval(60).pipe(
            take(4),
            mergeMap((tick) => inContext(() => inner.execute(async () => tick))),
          );
        }),
      );
      await elapse(240);
      expect(received).toMatchObject({ values: [0, 1, 2, 3], state: 'completed' });
    });

    it('has a teardown that throws change nothing: it times out, and gives back its slot', async () => {
      const { pipeline, name } = named({ timeoutMs: 100, bulkhead: { maxConcurrent: 2 } });
      const broken = () =>
        new Observable<number>(() => () => {
          throw new Error('a broken teardown');
        });
      const received = [receive(pipeline.observe(broken)), receive(pipeline.observe(broken))];
      await elapse(100);
      for (const { error } of received) expect(error).toBeInstanceOf(TimeoutError);
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
      const next = receive(pipeline.observe(() => NEVER));
      await elapse(100);
      expect(next.error).toBeInstanceOf(TimeoutError);
    });
  });

  describe('behind a breaker', () => {
    it('is a success from its first value on, whatever comes later', async () => {
      const { pipeline, name } = named({
        retry: ONE_RETRY,
        circuitBreaker: { failureThreshold: 1 },
      });
      const source = new Source();
      const received = receive(pipeline.observe(() => source.values$));
      source.subscriber.next(1);
      await flush();
      expect(app.breakers.get(name).getSnapshot()).toMatchObject({ calls: 1, successes: 1 });
      const error = new Error('later');
      source.subscriber.error(error);
      await flush();
      expect(received.error).toBe(error);
      expect(app.breakers.get(name).getSnapshot()).toMatchObject({ calls: 1, failures: 0 });
      expect(source.subscriptions).toBe(1);
    });

    it('holds no half-open permit for as long as it flows', async () => {
      const { pipeline, name } = named({
        circuitBreaker: {
          failureThreshold: 1,
          successThreshold: 2,
          halfOpenMaxCalls: 1,
          timeoutMs: 1000,
        },
      });
      receive(pipeline.observe(() => throwError(() => new Error('down'))));
      await elapse(1000);
      const source = new Source();
      const long = receive(pipeline.observe(() => source.values$));
      expect(await failure(pipeline.execute(never))).toBeInstanceOf(CircuitBreakerOpenError);
      source.subscriber.next(1);
      expect(await pipeline.execute(async () => 'another probe')).toBe('another probe');
      expect(app.breakers.get(name).getState()).toBe(CircuitState.CLOSED);
      expect(long.state).toBe('open');
      long.subscription.unsubscribe();
    });

    it('gives back the permit of a probe whose subscriber leaves before the first value', async () => {
      const { pipeline, name } = named({
        circuitBreaker: { failureThreshold: 1, successThreshold: 1, timeoutMs: 1000 },
      });
      receive(pipeline.observe(() => throwError(() => new Error('down'))));
      await elapse(1000);
      receive(pipeline.observe(() => NEVER)).subscription.unsubscribe();
      expect(app.breakers.get(name).getState()).toBe(CircuitState.HALF_OPEN);
      expect(await pipeline.execute(async () => 'probe')).toBe('probe');
      expect(app.breakers.get(name).getState()).toBe(CircuitState.CLOSED);
    });

    it('is not subscribed to while it is open', async () => {
      const { pipeline, name } = named({ circuitBreaker: {} });
      app.breakers.get(name).forceOpen();
      const source = new Source();
      const received = receive(pipeline.observe(() => source.values$));
      await flush();
      expect(received.error).toBeInstanceOf(CircuitBreakerOpenError);
      expect(source.subscriptions).toBe(0);
    });

    it('teaches it when the timeout of an enclosing call cuts it before its first value', async () => {
      const inner = named({ circuitBreaker: { failureThreshold: 1 } });
      const outer = named({ timeoutMs: 100 }).pipeline;
      const call = watch(outer.execute(() => firstValueFrom(inner.pipeline.observe(() => NEVER))));
      await elapse(100);
      expect(call.error).toBeInstanceOf(TimeoutError);
      expect(app.breakers.get(inner.name).getState()).toBe(CircuitState.OPEN);
    });

    it('teaches it when that call is a stream itself', async () => {
      const inner = named({ circuitBreaker: { failureThreshold: 1 } });
      const outer = named({ timeoutMs: 100 }).pipeline;
      const received = receive(outer.observe(() => inner.pipeline.observe(() => NEVER)));
      await elapse(100);
      expect(received.error).toBeInstanceOf(TimeoutError);
      expect(app.breakers.get(inner.name).getState()).toBe(CircuitState.OPEN);
    });
  });

  describe('in a bulkhead', () => {
    const one = { bulkhead: { maxConcurrent: 1, queueLimit: 0 } };

    it('holds its slot until it completes', async () => {
      const { pipeline, name } = named(one);
      const source = new Source();
      receive(pipeline.observe(() => source.values$));
      source.subscriber.next(1);
      await flush();
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(1);
      expect(await failure(pipeline.execute(never))).toMatchObject({ reason: 'full' });
      source.subscriber.complete();
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
    });

    it('holds its slot until it fails', async () => {
      const { pipeline, name } = named(one);
      const source = new Source();
      const received = receive(pipeline.observe(() => source.values$));
      source.subscriber.next(1);
      source.subscriber.error(new Error('later'));
      expect(received.state).toBe('failed');
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
    });

    it.each([[0], [1]])(
      'gives it back when its subscriber leaves after %i values',
      async (values) => {
        const { pipeline, name } = named(one);
        const source = new Source();
        const received = receive(pipeline.observe(() => source.values$));
        for (let value = 0; value < values; value++) source.subscriber.next(value);
        received.subscription.unsubscribe();
        await flush();
        expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
        expect(source.open).toBe(0);
      },
    );

    it('leaves the queue when its subscriber does, and is never subscribed to', async () => {
      const { pipeline, name } = named({ bulkhead: { maxConcurrent: 1 } });
      const work = new Deferred();
      watch(pipeline.execute(() => work.promise));
      const source = new Source();
      const received = receive(pipeline.observe(() => source.values$));
      expect(app.bulkheads.get(name).getSnapshot().queued).toBe(1);
      received.subscription.unsubscribe();
      expect(app.bulkheads.get(name).getSnapshot().queued).toBe(0);
      work.resolve(undefined);
      await flush();
      expect(source.subscriptions).toBe(0);
    });

    it('is subscribed to when it gets its slot from the queue', async () => {
      const { pipeline } = named({ bulkhead: { maxConcurrent: 1 } });
      const work = new Deferred();
      watch(pipeline.execute(() => work.promise));
      const received = receive(pipeline.observe(() => of(1, 2)));
      work.resolve(undefined);
      await flush();
      expect(received).toMatchObject({ values: [1, 2], state: 'completed' });
    });
  });

  describe('whose subscriber leaves', () => {
    it('is no success and no failure before the first value', async () => {
      const { pipeline, name } = named({ circuitBreaker: {}, timeoutMs: 1000 });
      receive(pipeline.observe(() => NEVER)).subscription.unsubscribe();
      await flush();
      expect(app.metrics.get('requests.total', { operation: name })).toBe(0);
      expect(app.breakers.get(name).getSnapshot().calls).toBe(0);
    });

    it('during the backoff is not subscribed to again', async () => {
      let subscriptions = 0;
      const received = receive(
        named({ retry: ONE_RETRY }).pipeline.observe(() => {
          subscriptions++;
          return throwError(() => new Error('down'));
        }),
      );
      await elapse(50);
      received.subscription.unsubscribe();
      await flush();
      expect(jest.getTimerCount()).toBe(0);
      expect(subscriptions).toBe(1);
    });

    it('in the fallback gets nothing more, and the stream of the fallback is left too', async () => {
      const source = new Source();
      const received = receive(
        named({ fallback: () => source.values$ }).pipeline.observe(() =>
          throwError(() => new Error('down')),
        ),
      );
      await flush();
      expect(source.open).toBe(1);
      received.subscription.unsubscribe();
      expect(source.open).toBe(0);
    });

    it('aborts the signal after the first value too', async () => {
      let signal: AbortSignal | undefined;
      const received = receive(
        named({}).pipeline.observe((attempt) => {
          signal = attempt.signal;
          return concat(of(1), NEVER);
        }),
      );
      expect(received.values).toEqual([1]);
      expect(signal?.aborted).toBe(false);
      received.subscription.unsubscribe();
      expect(signal?.aborted).toBe(true);
      await flush();
    });

    it('does not abort the signal of a stream that has completed or failed', async () => {
      const signals: AbortSignal[] = [];
      for (const stream of [
        of(1),
        concat(
          of(1),
          throwError(() => new Error('later')),
        ),
      ]) {
        const received = receive(
          named({}).pipeline.observe(({ signal }) => {
            signals.push(signal);
            return stream;
          }),
        );
        await flush();
        received.subscription.unsubscribe();
      }
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    });

    it('at the first value stops a source that is synchronous and endless', async () => {
      const { pipeline, name } = named({ bulkhead: {}, circuitBreaker: {}, timeoutMs: 100 });
      let emitted = 0;
      const endless = pipeline.observe(
        () =>
          new Observable<number>((subscriber) => {
            // As good as endless; a test that hangs would tell nobody why.
            for (emitted = 0; emitted < 10_000 && !subscriber.closed; ) subscriber.next(++emitted);
          }),
      );
      expect(await lastValueFrom(endless.pipe(take(1)))).toBe(1);
      expect(emitted).toBeLessThan(10);
      expect(await lastValueFrom(endless.pipe(take(3), toArray()))).toEqual([1, 2, 3]);
      expect(emitted).toBeLessThan(10);
      expect(app.bulkheads.get(name).getSnapshot().running).toBe(0);
      expect(app.breakers.get(name).getSnapshot().successes).toBe(2);
    });

    it('at its first value leaves the calls alone that others make of that value', async () => {
      const next = named({ timeoutMs: 1_000 }).pipeline;
      const { pipeline } = named({ timeoutMs: 100 });
      const received = receive(
        pipeline
          .observe(() => concat(of(1), NEVER))
          .pipe(
            take(1),
            mergeMap((value) =>
              next.execute(async () => {
                await new Promise((resolve) => setTimeout(resolve, 500));
                return value + 1;
              }),
            ),
          ),
      );
      await elapse(500);
      expect(received).toMatchObject({ values: [2], state: 'completed' });
    });
  });

  it('gives its values in the scope of the subscriber: what is made of them is not inside it', async () => {
    const { pipeline } = named({ timeoutMs: 100 });
    const outer = named({ timeoutMs: 10_000 }).pipeline;
    await outer.execute(async ({ signal }) => {
      const seen: AbortSignal[] = [];
      const note = () => seen.push(currentSignal());
      await new Promise<void>((resolve) => {
        pipeline
          .observe(() => of(1))
          .subscribe({
            next: note,
            complete: () => {
              note();
              resolve();
            },
          });
      });
      expect(seen.map((each) => each === signal)).toEqual([true, true]);
    });
  });

  describe('with a signal', () => {
    const reason = new Error('lost interest');

    it.each([[0], [1]])(
      'fails with its reason at once when it aborts after %i values',
      async (values) => {
        const { pipeline } = named({ timeoutMs: 1000, fallback: () => 'instead' });
        const caller = new AbortController();
        const source = new Source<unknown>();
        const received = receive(pipeline.observe(() => source.values$, { signal: caller.signal }));
        for (let value = 0; value < values; value++) source.subscriber.next(value);
        caller.abort(reason);
        expect(received.error).toBe(reason);
        expect(source.open).toBe(0);
        await flush();
        expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
      },
    );

    it('that has aborted already is never subscribed to', async () => {
      const source = new Source();
      const received = receive(
        named({}).pipeline.observe(() => source.values$, { signal: AbortSignal.abort(reason) }),
      );
      await flush();
      expect(received.error).toBe(reason);
      expect(source.subscriptions).toBe(0);
    });

    it('leaves no listener on it when it ends', async () => {
      const caller = new AbortController();
      const received = receive(named({}).pipeline.observe(() => of(1), { signal: caller.signal }));
      await flush();
      expect(received.state).toBe('completed');
      expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
    });
  });

  describe('that fails for good', () => {
    const down = () => throwError(() => new Error('down'));

    it('is answered by a fallback with a stream, a promise or a value', async () => {
      const answers: [() => unknown, unknown[]][] = [
        [() => of(1, 2), [1, 2]],
        [() => Promise.resolve(3), [3]],
        [() => 4, [4]],
        [() => [5, 6], [[5, 6]]],
        [() => undefined, [undefined]],
      ];
      for (const [fallback, values] of answers) {
        const { pipeline, name } = named({ fallback });
        const received = receive(pipeline.observe(down));
        await flush();
        expect(received).toMatchObject({ values, state: 'completed' });
        expect(app.metrics.get('requests.total', { operation: name, outcome: 'fallback' })).toBe(1);
      }
    });

    it('degrades to null where it is nice to have', async () => {
      const received = receive(named({ critical: false }).pipeline.observe(down));
      await flush();
      expect(received).toMatchObject({ values: [null], state: 'completed' });
    });

    it('degrades to null where the stream of the fallback fails before its first value', async () => {
      const fallback = () => throwError(() => new Error('down too'));
      const { pipeline, name } = named({ critical: false, fallback });
      expect(await firstValueFrom(pipeline.observe(down))).toBeNull();
      expect(app.metrics.get('service.fallback_failed', { operation: name })).toBe(1);
      expect(app.metrics.get('requests.total', { operation: name, outcome: 'degraded' })).toBe(1);
    });

    it('passes on the values of a fallback until that fails', async () => {
      const fallbackError = new Error('down too');
      const fallback = () =>
        concat(
          of(1),
          throwError(() => fallbackError),
        );
      const received = receive(named({ fallback }).pipeline.observe(down));
      await flush();
      expect(received).toMatchObject({ values: [1], state: 'failed', error: fallbackError });
    });

    it("surfaces the fallback's own error", async () => {
      const fallbackError = new Error('down too');
      const received = receive(
        named({ fallback: () => throwError(() => fallbackError) }).pipeline.observe(down),
      );
      await flush();
      expect(received.error).toBe(fallbackError);
    });

    it('surfaces its last error', async () => {
      const error = new Error('down');
      const received = receive(
        named({ retry: ONE_RETRY }).pipeline.observe(() => throwError(() => error)),
      );
      await elapse(100);
      expect(received.error).toBe(error);
    });

    it('after values is not replaced by a fallback, nor degraded', async () => {
      const error = new Error('later');
      for (const options of [{ fallback: () => 'instead' }, { critical: false }]) {
        const received = receive(
          named(options).pipeline.observe(() =>
            concat(
              of(1),
              throwError(() => error),
            ),
          ),
        );
        await flush();
        expect(received).toMatchObject({ values: [1], state: 'failed', error });
      }
    });
  });

  it('that has begun fails by its own error, which is retried further out unless a call inside has done so', async () => {
    const error = new Error('down');
    const failing = () => Promise.reject(error);
    const [stream, inner] = [named({}).pipeline, named({ retry: ONE_RETRY }).pipeline];
    let subscriptions = 0;
    const begun = (end: () => Promise<never>) =>
      stream.observe(() => {
        subscriptions++;
        return concat(of(1), defer(end));
      });
    const retrying = () => inner.execute(failing);
    const cases = [
      [failing, 2],
      [retrying, 1],
    ] as const;
    for (const [end, expected] of cases) {
      subscriptions = 0;
      const outer = named({ retry: ONE_RETRY }).pipeline;
      const call = watch(outer.execute(() => lastValueFrom(begun(end))));
      await elapse(1_000);
      expect(call.error).toBe(error);
      expect(subscriptions).toBe(expected);
    }
    const received = receive(begun(retrying)); // nobody is around it
    await elapse(1_000);
    expect(received).toMatchObject({ values: [1], state: 'failed', error });
  });

  it('counts each subscription as one call', async () => {
    const { pipeline, name } = named({});
    const stream = pipeline.observe(() => range(1, 3));
    for (let subscription = 0; subscription < 3; subscription++)
      expect(await lastValueFrom(stream.pipe(toArray()))).toEqual([1, 2, 3]);
    expect(app.metrics.get('requests.total', { operation: name, outcome: 'success' })).toBe(3);
  });

  it('takes whatever RxJS takes: promises and iterables', async () => {
    const { pipeline } = named({});
    expect(await lastValueFrom(pipeline.observe(() => Promise.resolve(1)))).toBe(1);
    expect(await lastValueFrom(pipeline.observe(() => [1, 2]).pipe(toArray()))).toEqual([1, 2]);
    expect(
      await lastValueFrom(pipeline.observe(() => defer(() => of(1)).pipe(map((n) => n + 1)))),
    ).toBe(2);
  });

  it('keeps the async context of its subscriber in the source, the retry and the fallback', async () => {
    const user = new AsyncLocalStorage<string>();
    const { pipeline } = named({
      timeoutMs: 100,
      retry: ONE_RETRY,
      fallback: () => of(user.getStore()),
    });
    const seen: string[] = [];
    const received = ['ann', 'bob', 'cid'].map((who) =>
      user.run(who, () =>
        receive(
          pipeline.observe<string | undefined>(({ attempt }) => {
            seen.push(`${who} ${attempt} ${user.getStore()}`);
            return NEVER;
          }),
        ),
      ),
    );
    await user.run('nobody else', () => elapse(1_000));
    expect(received.map(({ values }) => values)).toEqual([['ann'], ['bob'], ['cid']]);
    expect(seen.toSorted()).toEqual([
      'ann 1 ann',
      'ann 2 ann',
      'bob 1 bob',
      'bob 2 bob',
      'cid 1 cid',
      'cid 2 cid',
    ]);
  });
});
