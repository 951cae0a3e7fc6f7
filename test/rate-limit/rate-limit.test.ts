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
import { retryAfterMs } from '../../lib/errors/retry-after.js';
import {
  CircuitState,
  RateLimitedError,
  type RateLimitOptions,
  RateLimitPolicy,
  type RateLimitReason,
  ResilienceConfigurationError,
  ResilienceError,
} from '../../lib/index.js';
import {
  Deferred,
  elapse,
  failure,
  flush,
  never,
  ResilienceApp,
  type Watched,
  watch,
} from '../support/resilience-app.js';

const refused = (reason: RateLimitReason, retryAfterMs: number) =>
  expect.objectContaining({ name: 'RateLimitedError', reason, retryAfterMs });

/** Calls through a rate limit, each of which tells when it began. */
class Calls {
  private readonly began: number[] = [];
  private readonly all: Watched<number>[] = [];

  constructor(private readonly enter: (fn: () => Promise<number>) => Promise<number>) {}

  call(): Watched<number> {
    const index = this.all.length;
    const call = watch(
      this.enter(async () => {
        this.began.push(index);
        return index;
      }),
    );
    this.all.push(call);
    return call;
  }

  calls(count: number): Watched<number>[] {
    return Array.from({ length: count }, () => this.call());
  }

  /** Which have begun, in their order. */
  get order(): number[] {
    return this.began;
  }

  get errors(): unknown[] {
    return this.all.flatMap(({ state, error }) => (state === 'rejected' ? [error] : []));
  }
}

let app: ResilienceApp;
let names = 0;

beforeAll(async () => {
  app = await ResilienceApp.boot();
});
beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});
afterAll(() => app.close());

/** The rules are the same for the policy by itself, in a pipeline, and inside of a caller. */
const ways: [string, (options: RateLimitOptions) => [Calls, RateLimitPolicy]][] = [
  [
    'RateLimitPolicy',
    (options) => {
      const policy = new RateLimitPolicy('tested', options);
      return [new Calls((fn) => policy.execute(fn)), policy];
    },
  ],
  [
    'A pipeline with a rate limit',
    (options) => {
      const name = `partner-${names++}`;
      const pipeline = app.pipeline({ name, rateLimit: options });
      return [new Calls((fn) => pipeline.execute(fn)), app.rateLimits.get(name)];
    },
  ],
  [
    'A pipeline with all stages',
    (options) => {
      const name = `partner-${names++}`;
      const pipeline = app.pipeline({
        name,
        rateLimit: options,
        circuitBreaker: {},
        timeoutMs: 50,
        bulkhead: {},
      });
      return [new Calls((fn) => pipeline.execute(fn)), app.rateLimits.get(name)];
    },
  ],
  [
    'A pipeline inside of another call',
    (options) => {
      const name = `partner-${names++}`;
      const pipeline = app.pipeline({ name, rateLimit: options });
      const outer = app.pipeline({ timeoutMs: 60_000 });
      const enter = (fn: () => Promise<number>) => outer.execute(() => pipeline.execute(fn));
      return [new Calls(enter), app.rateLimits.get(name)];
    },
  ],
];

describe.each(ways)('%s', (_, make) => {
  it('lets a burst begin, and then as many as the limit allows, evenly', async () => {
    const [calls, policy] = make({ limit: 10, burst: 3 });
    calls.calls(4);
    await flush();
    expect(calls.order).toEqual([0, 1, 2]);
    expect(calls.errors).toEqual([refused('limit', 100)]);
    await elapse(99);
    calls.call();
    await flush();
    expect(calls.errors.at(-1)).toEqual(refused('limit', 1));
    await elapse(1);
    calls.calls(2);
    await flush();
    expect(calls.order).toEqual([0, 1, 2, 5]);
    expect(policy.getSnapshot()).toMatchObject({ limit: 10, available: 0, queued: 0, rejected: 3 });
    await elapse(10_000);
    expect(policy.getSnapshot()).toMatchObject({ available: 3 }); // and no more
  });

  it('lets those wait whose turn comes in time, first in, first out', async () => {
    const [calls, policy] = make({ limit: 10, burst: 1, maxWaitMs: 250 });
    calls.calls(4);
    await flush();
    expect(calls.order).toEqual([0]);
    expect(calls.errors).toEqual([refused('limit', 300)]); // it would have been the third to wait
    expect(policy.getSnapshot()).toMatchObject({ queued: 2 });
    await elapse(99);
    expect(calls.order).toEqual([0]);
    await elapse(1);
    expect(calls.order).toEqual([0, 1]);
    await elapse(100);
    expect(calls.order).toEqual([0, 1, 2]);
    expect(policy.getSnapshot()).toMatchObject({ queued: 0, rejected: 1 });
  });

  it('lets nobody overtake who waits, though there is room for a moment', async () => {
    const [calls] = make({ limit: 1_000, burst: 5, maxWaitMs: 10 });
    calls.calls(7);
    await flush();
    await elapse(1);
    calls.call();
    await elapse(5);
    expect(calls.order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('gives a call its turn that comes in the last moment of its wait', async () => {
    const [calls] = make({ limit: 7, burst: 1, maxWaitMs: 1_000 });
    calls.calls(9);
    await elapse(1_000);
    expect(calls.order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(calls.errors).toEqual([refused('limit', 1_143)]);
  });

  it('refuses what finds the queue full', async () => {
    const [calls] = make({ limit: 10, burst: 1, maxWaitMs: 10_000, queueLimit: 2 });
    calls.calls(4);
    await flush();
    expect(calls.errors).toEqual([refused('queue', 300)]);
    await elapse(200);
    expect(calls.order).toEqual([0, 1, 2]);
  });

  it('refuses those who wait where the application closes, and who would have to', async () => {
    const [calls, policy] = make({ limit: 10, burst: 2, maxWaitMs: 1_000 });
    calls.calls(4);
    await flush();
    policy.shutdown();
    await flush();
    expect(calls.errors).toEqual([refused('shutdown', 100), refused('shutdown', 100)]);
    calls.call();
    await flush();
    expect(calls.errors.at(-1)).toEqual(refused('shutdown', 100));
    await elapse(100);
    calls.call(); // which has not to wait
    await flush();
    expect(calls.order).toEqual([0, 1, 5]);
  });

  it('follows another limit from now on, and plans those who wait anew', async () => {
    const [calls, policy] = make({ limit: 10, burst: 1, maxWaitMs: 300 });
    calls.calls(4);
    await elapse(50);
    policy.setLimit(100);
    await elapse(5);
    expect(calls.order).toEqual([0, 1]); // half of its way is behind it
    await elapse(20);
    expect(calls.order).toEqual([0, 1, 2, 3]);
    calls.calls(3);
    await flush();
    policy.setLimit(5);
    await flush();
    expect(calls.errors).toEqual([refused('limit', 400), refused('limit', 400)]);
    await elapse(200);
    expect(calls.order).toEqual([0, 1, 2, 3, 4]);
    expect(policy.getSnapshot()).toMatchObject({ limit: 5 });
  });
});

describe('A rate limit', () => {
  it('has a burst of its limit, also of a new one, and hands out no more than there was', async () => {
    const policy = new RateLimitPolicy('partner', { limit: 5 });
    expect(policy.options).toEqual({
      limit: 5,
      burst: 5,
      intervalMs: 1_000,
      maxWaitMs: 0,
      queueLimit: 100,
      adaptToResponses: false,
    });
    await policy.execute(async () => 1);
    policy.setLimit(10);
    expect(policy.getSnapshot()).toMatchObject({ limit: 10, available: 4 });
    await elapse(600);
    expect(policy.getSnapshot()).toMatchObject({ available: 10 });
    policy.setLimit(2);
    expect(policy.getSnapshot()).toMatchObject({ available: 2 });
    const bursty = new RateLimitPolicy('bursty', { limit: 5, burst: 8 });
    bursty.setLimit(100);
    expect(bursty.getSnapshot()).toMatchObject({ available: 8 });
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5'])(
    'cannot be set to %p',
    (limit) => {
      const policy = new RateLimitPolicy('partner', { limit: 5 });
      const set = () => policy.setLimit(limit as number);
      expect(set).toThrow(ResilienceConfigurationError);
      expect(set).toThrow('rate limit "partner".setLimit(): is');
      expect(policy.getSnapshot()).toMatchObject({ limit: 5 });
    },
  );

  it.each([
    [{}, 'rate limit "p".limit: is missing; allowed: how many calls may begin in an interval'],
    [{ limit: 0 }, 'rate limit "p".limit: is 0; allowed: a whole number from 1'],
    [{ limit: 1, intervalMs: 0 }, 'rate limit "p".intervalMs: is 0; allowed: a number of milli'],
    [{ limit: 1, burst: 0 }, 'rate limit "p".burst: is 0'],
    [{ limit: 1, maxWaitMs: -1 }, 'rate limit "p".maxWaitMs: is -1'],
    [{ limit: 1, queueLimit: -1 }, 'rate limit "p".queueLimit: is -1'],
    [{ limit: 1, weight: 2 }, 'rate limit "p".weight: is 2; allowed: a function'],
    [{ limit: 1, weight: async () => 1 }, 'at once (not an async one)'],
    [{ limit: 1, adaptToResponses: 'yes' }, 'rate limit "p".adaptToResponses: is "yes"'],
    [
      { limit: 1, maxWait: 5 },
      'rate limit "p".maxWait: there is no such option; known: limit, int',
    ],
    [5, 'did you mean { limit: 5 }?'],
  ])('refuses the options %p', (options, message) => {
    expect(() => new RateLimitPolicy('p', options as RateLimitOptions)).toThrow(message);
  });

  it('fails by an error that says how long, and carries no stack', async () => {
    const policy = new RateLimitPolicy('partner', { limit: 3, intervalMs: 60_000, burst: 1 });
    await policy.execute(async () => 1);
    const error = (await failure(policy.execute(async () => 1))) as RateLimitedError;
    expect(error).toBeInstanceOf(RateLimitedError);
    expect(error).toBeInstanceOf(ResilienceError);
    expect(error).toMatchObject({
      code: 'RATE_LIMITED',
      rateLimit: 'partner',
      reason: 'limit',
      retryAfterMs: 20_000,
      message: 'Rate limit "partner" is reached',
      byClient: false,
    });
    expect(error.stack?.split('\n')).toHaveLength(1);
    expect(retryAfterMs(error)).toBe(20_000);
    expect(retryAfterMs(new Error('wrapped', { cause: error }))).toBe(20_000);
  });

  it('gives critical calls their turn first, and those that can be shed theirs last', async () => {
    const name = `partner-${names++}`;
    app.pipeline({ name, rateLimit: { limit: 10, burst: 1, maxWaitMs: 1_000, queueLimit: 3 } });
    const order: string[] = [];
    const errors: unknown[] = [];
    const call = (label: string, critical?: boolean) => {
      const pipeline = app.pipeline({
        rateLimit: name,
        ...(critical === undefined ? {} : { critical }),
      });
      pipeline
        .execute(async () => void order.push(label))
        .then(
          (answer) => answer === null && errors.push(`${label} degraded`),
          (error: RateLimitedError) => errors.push(`${label} ${error.reason}`),
        );
    };
    call('first');
    call('shed', false);
    call('shed later', false);
    call('ordinary');
    call('no more');
    call('critical', true);
    await flush();
    expect(errors.toSorted()).toEqual(['no more queue', 'shed later degraded']);
    await elapse(300);
    expect(order).toEqual(['first', 'critical', 'ordinary', 'shed']);
  });

  it('lets a critical call in that fits, where others wait for more', async () => {
    const name = `partner-${names++}`;
    const rateLimit = { limit: 10, burst: 5, maxWaitMs: 1_000, weight: (n: number) => n };
    app.pipeline({ name, rateLimit });
    const order: number[] = [];
    const call = (weight: number, critical?: boolean) =>
      watch(
        app
          .pipeline({ rateLimit: name, ...(critical === undefined ? {} : { critical }) })
          .execute(async () => void order.push(weight), { args: [weight] }),
      );
    call(3);
    call(4); // waits for two more
    call(1); // behind it
    call(2, true);
    await flush();
    expect(order).toEqual([3, 2]);
    await elapse(400);
    expect(order).toEqual([3, 2, 4]);
    await elapse(100);
    expect(order).toEqual([3, 2, 4, 1]);
  });

  it('refuses at once whose deadline comes before its turn, and lets wait whose does not', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({ name, rateLimit: { limit: 10, burst: 1, maxWaitMs: 10_000 } });
    const within = (timeoutMs: number) =>
      watch(app.pipeline({ timeoutMs }).execute(() => pipeline.execute(async () => 'answer')));
    await pipeline.execute(async () => 'first');
    const [late, inTime] = [within(100), within(101)];
    await flush();
    expect(late.error).toEqual(refused('deadline', 100));
    expect(inTime.state).toBe('pending');
    await elapse(100);
    expect(inTime.value).toBe('answer');
  });

  it('refuses who waits as soon as another limit makes its turn too late for its deadline', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({ name, rateLimit: { limit: 10, burst: 1, maxWaitMs: 60_000 } });
    await pipeline.execute(async () => 'first');
    const call = watch(
      app.pipeline({ timeoutMs: 500 }).execute(() => pipeline.execute(async () => 'answer')),
    );
    await flush();
    app.rateLimits.get(name).setLimit(1);
    await flush();
    expect(call.error).toEqual(refused('deadline', 1_000));
  });

  it('forgets a call whose caller gives up while it waits, and lets the next have its turn', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({ name, rateLimit: { limit: 10, burst: 1, maxWaitMs: 10_000 } });
    await pipeline.execute(async () => 'first');
    const controller = new AbortController();
    const given = watch(pipeline.execute(async () => 'up', { signal: controller.signal }));
    const next = watch(pipeline.execute(async () => 'next'));
    await elapse(50);
    controller.abort(new Error('gone'));
    await flush();
    expect(given.error).toEqual(new Error('gone'));
    expect(app.rateLimits.get(name).getSnapshot()).toMatchObject({ queued: 1 });
    await elapse(50);
    expect(next.value).toBe('next');
  });

  it('takes back what an attempt was given that a bulkhead refuses', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({
      name,
      rateLimit: { limit: 10 },
      bulkhead: { maxConcurrent: 1, queueLimit: 0 },
    });
    const running = new Deferred();
    const first = watch(pipeline.execute(() => running.promise));
    for (let call = 0; call < 20; call++)
      expect(await failure(pipeline.execute(never))).toMatchObject({ code: 'BULKHEAD_FULL' });
    expect(app.rateLimits.get(name).getSnapshot()).toMatchObject({ available: 9, rejected: 0 });
    running.resolve('done');
    await flush();
    expect(first.value).toBe('done');
  });

  it('hands on what comes back to the one who waits', async () => {
    const name = `partner-${names++}`;
    const bulkhead = { maxConcurrent: 1, queueLimit: 1 };
    const rateLimit = { limit: 2, maxWaitMs: 10_000 };
    const pipeline = app.pipeline({ name, rateLimit, bulkhead });
    const running = new Deferred();
    const controller = new AbortController();
    const first = watch(pipeline.execute(() => running.promise));
    const queued = watch(pipeline.execute(never, { signal: controller.signal })); // in the bulkhead
    const other = app.pipeline({ rateLimit: name });
    const waiting = watch(other.execute(async () => 'its turn'));
    await flush();
    expect(waiting.state).toBe('pending');
    controller.abort(new Error('gone'));
    await flush();
    expect(queued.error).toEqual(new Error('gone'));
    expect(waiting.value).toBe('its turn');
    running.resolve('done');
    await flush();
    expect(first.value).toBe('done');
  });

  it('takes nothing back of what has filled up since', async () => {
    const name = `partner-${names++}`;
    const rateLimit = { limit: 10, burst: 2 };
    const pipeline = app.pipeline({ name, rateLimit, bulkhead: { maxConcurrent: 1 } });
    const running = new Deferred();
    const controller = new AbortController();
    const first = watch(pipeline.execute(() => running.promise));
    const queued = watch(pipeline.execute(never, { signal: controller.signal }));
    await elapse(1_000);
    const other = app.pipeline({ rateLimit: name });
    await other.execute(async () => 1);
    await other.execute(async () => 2);
    controller.abort(new Error('gone'));
    await flush();
    expect(queued.error).toEqual(new Error('gone'));
    expect(app.rateLimits.get(name).getSnapshot()).toMatchObject({ available: 0 });
    running.resolve('done');
    await flush();
    expect(first.value).toBe('done');
  });

  it('is not the time of the attempt, nor a slow call for the breaker, nor a failure', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({
      name,
      circuitBreaker: {
        slowCallDurationMs: 50,
        slowCallRateThreshold: 1,
        failureRateThreshold: 1,
        minimumCalls: 1,
      },
      rateLimit: { limit: 1, maxWaitMs: 5_000 },
      timeoutMs: 60,
    });
    const calls = [1, 2, 3].map(() =>
      watch(pipeline.execute(() => new Promise((resolve) => setTimeout(resolve, 40, 'answer')))),
    );
    await elapse(2_100);
    expect(calls.map(({ value }) => value)).toEqual(['answer', 'answer', 'answer']);
    for (let refusals = 0; refusals < 10; refusals++) watch(pipeline.execute(never));
    await elapse(0);
    const breaker = app.breakers.get(name);
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 0, slowCallRate: 0 });
    app.rateLimits.get(name).shutdown();
    await flush();
    expect(breaker.getSnapshot()).toMatchObject({ calls: 3, failures: 0 });
  });

  it('lets nobody begin once the breaker has opened, and has back what they were given', async () => {
    const name = `partner-${names++}`;
    const pipeline = app.pipeline({
      name,
      circuitBreaker: { failureThreshold: 1, timeoutMs: 60_000 },
      rateLimit: { limit: 10, burst: 1, maxWaitMs: 5_000 },
    });
    watch(pipeline.execute(() => Promise.reject(new Error('down'))));
    const waiting = [watch(pipeline.execute(never)), watch(pipeline.execute(never))];
    await elapse(100);
    expect(waiting.map(({ error }) => error)).toEqual([
      expect.objectContaining({ code: 'CIRCUIT_OPEN' }),
      expect.objectContaining({ code: 'CIRCUIT_OPEN' }),
    ]);
    expect(app.rateLimits.get(name).getSnapshot()).toMatchObject({ available: 1, queued: 0 });
  });

  it('is retried no sooner than it says', async () => {
    const name = `partner-${names++}`;
    const rateLimit = { limit: 1 };
    const retry = { maxAttempts: 2, baseDelayMs: 1, jitter: 'none' as const };
    const pipeline = app.pipeline({ name, rateLimit, retry });
    await pipeline.execute(async () => 'first');
    const begun = jest.fn(async () => 'again');
    const call = watch(pipeline.execute(begun));
    await elapse(999);
    expect(begun).not.toHaveBeenCalled();
    await elapse(1);
    expect(call.value).toBe('again');
  });

  it('runs what waits in the async context of its own caller', async () => {
    const { AsyncLocalStorage } = await import('node:async_hooks');
    const user = new AsyncLocalStorage<string>();
    const policy = new RateLimitPolicy('partner', { limit: 10, burst: 1, maxWaitMs: 1_000 });
    const seen: (string | undefined)[] = [];
    const note = async () => void seen.push(user.getStore());
    const calls = ['Ada', 'Bob', 'Cyd'].map((name) => user.run(name, () => policy.execute(note)));
    await elapse(200);
    await Promise.all(calls);
    expect(seen).toEqual(['Ada', 'Bob', 'Cyd']);
  });

  it('tells of what it refuses and of who waits, by metrics and events', async () => {
    const name = `partner-${names++}`;
    const rateLimit = { limit: 10, burst: 1, maxWaitMs: 100 };
    const pipeline = app.pipeline({ name, rateLimit });
    const events: unknown[] = [];
    const subscription = app.events.events$.subscribe((event) => events.push(event));
    const calls = [1, 2, 3].map(() => watch(pipeline.execute(async () => 1)));
    await flush();
    expect(app.metrics.get('rate_limit.queued', { rate_limit: name })).toBe(1);
    expect(app.metrics.get('rate_limit.limit', { rate_limit: name })).toBe(10);
    expect(app.metrics.get('rate_limit.rejected', { rate_limit: name, reason: 'limit' })).toBe(1);
    expect(events).toEqual([
      {
        type: 'rate-limited',
        rateLimit: name,
        reason: 'limit',
        retryAfterMs: 200,
        timestamp: expect.any(String),
      },
    ]);
    subscription.unsubscribe();
    await elapse(100);
    expect(app.metrics.get('rate_limit.queued', { rate_limit: name })).toBe(0);
    expect(calls.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    app.rateLimits.get(name).setLimit(7);
    expect(app.metrics.get('rate_limit.limit', { rate_limit: name })).toBe(7);
  });
});
