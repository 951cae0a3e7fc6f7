import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  BulkheadPolicy,
  CircuitBreakerPolicy,
  CircuitState,
  type Pipeline,
  type ServiceOptions,
} from '../../lib/index.js';
import { booting, Deferred, elapse, failure, flush, never } from '../support/resilience-app.js';

const boot = booting();
const SLOW = {
  failureThreshold: 1,
  minimumCalls: 5,
  slowCallDurationMs: 100,
  slowCallRateThreshold: 50,
} as const;

const taking = (ms: number) => () =>
  new Promise<string>((resolve) => setTimeout(resolve, ms, 'answer'));

type Call = (fn: () => Promise<string>) => Promise<string>;

/** A breaker in front of a bulkhead with one slot, put together in several ways. */
const ARRANGEMENTS: [
  string,
  (options?: ServiceOptions) => Promise<[CircuitBreakerPolicy, Call]>,
][] = [
  [
    'in one pipeline',
    async (options = {}) => {
      const [breaker, pipeline] = await piped({ bulkhead: { maxConcurrent: 1 }, ...options });
      return [breaker, (fn) => pipeline.execute(fn)];
    },
  ],
  [
    'in two pipelines, one inside the other',
    async (options) => {
      const [breaker, outer, inner] = await piped(options);
      return [breaker, (fn) => outer.execute(() => inner.execute(fn))];
    },
  ],
  [
    'a pipeline around a bulkhead by itself',
    async (options) => {
      const [breaker, outer] = await piped(options);
      const bulkhead = new BulkheadPolicy('own', { maxConcurrent: 1 });
      return [breaker, (fn) => outer.execute(async () => bulkhead.execute(fn))];
    },
  ],
];

async function piped(
  options: ServiceOptions = {},
): Promise<[CircuitBreakerPolicy, Pipeline, Pipeline]> {
  const app = await boot({ breakers: { payments: SLOW } });
  const outer = app.pipeline({ name: 'outer', circuitBreaker: 'payments', ...options });
  const inner = app.pipeline({ name: 'inner', bulkhead: { maxConcurrent: 1 } });
  return [app.breakers.get('payments'), outer, inner];
}

function alone(): [CircuitBreakerPolicy, Call] {
  const breaker = new CircuitBreakerPolicy('payments', SLOW);
  const bulkhead = new BulkheadPolicy('own', { maxConcurrent: 1 });
  return [breaker, (fn) => breaker.execute(async () => bulkhead.execute(fn))];
}

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe.each([...ARRANGEMENTS, ['both by themselves', async () => alone()] as const])(
  'a breaker in front of a queue (%s)',
  (_, arrange) => {
    it('judges how slow a call is from its slot on', async () => {
      const [breaker, call] = await arrange();
      const calls = Array.from({ length: 10 }, () => call(taking(40)));
      await elapse(400);
      await Promise.all(calls);
      expect(breaker.getSnapshot()).toMatchObject({
        state: CircuitState.CLOSED,
        calls: 10,
        slowCallRate: 0,
      });
    });

    it('still opens by bodies that are slow themselves', async () => {
      const [breaker, call] = await arrange();
      const calls = Array.from({ length: 5 }, () => call(taking(101)));
      await elapse(600);
      await Promise.all(calls);
      expect(breaker.getState()).toBe(CircuitState.OPEN);
    });
  },
);

describe.each(ARRANGEMENTS)('a timeout in front of a queue (%s)', (_, arrange) => {
  it('counts where the call ran for a part of its time', async () => {
    const [breaker, call] = await arrange({ timeoutMs: 200 });
    const work = new Deferred<string>();
    const first = call(() => work.promise);
    const fn = jest.fn(never);
    const second = failure(call(fn));
    await elapse(150);
    work.resolve('answer');
    await first;
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
    await elapse(50);
    expect(fn).toHaveBeenCalled();
    expect(await second).toMatchObject({ code: 'TIMEOUT' });
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });

  it('teaches the breaker nothing where it passes while the call waits', async () => {
    const [breaker, call] = await arrange({ timeoutMs: 200 });
    const hung = failure(call(never)); // it holds the slot for ever
    await elapse(200);
    await hung;
    expect(breaker.getState()).toBe(CircuitState.OPEN);
    breaker.reset();
    const waiting = failure(call(jest.fn(never)));
    await elapse(200);
    expect(await waiting).toMatchObject({ code: 'TIMEOUT' });
    expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
  });
});

describe('a probe in front of a queue', () => {
  it('gives its permit back where its time passes while it waits', async () => {
    const [breaker, pipeline] = await piped({ bulkhead: { maxConcurrent: 1 }, timeoutMs: 200 });
    const hung = failure(pipeline.execute(never));
    await elapse(200);
    await hung;
    await elapse(60_000);
    const calls = [1, 2].map(() => failure(pipeline.execute(never)));
    await elapse(200);
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'TIMEOUT' });
    expect(breaker.getState()).toBe(CircuitState.HALF_OPEN);
    expect(await breaker.execute(async () => 'answer')).toBe('answer');
  });
});

describe('a call that waited in the queue', () => {
  it('teaches the breaker nothing where its time is up at the moment in which it gets a slot', async () => {
    const app = await boot({
      breakers: { payments: SLOW },
      bulkheads: { db: { maxConcurrent: 1 } },
    });
    const caller = new AbortController();
    const timesUp = () => {
      caller.abort(new DOMException('time is up', 'TimeoutError'));
      return false;
    };
    const first = app.pipeline({
      name: 'first',
      bulkhead: 'db',
      // Asked when the slot has been handed over, before the next call can begin.
      retry: { retryableErrors: timesUp },
    });
    const second = app.pipeline({ name: 'second', bulkhead: 'db', circuitBreaker: 'payments' });
    const work = new Deferred<never>();
    const failed = failure(first.execute(() => work.promise));
    const fn = jest.fn(never);
    const cut = failure(second.execute(fn, { signal: caller.signal }));
    await elapse(100);
    work.reject(new Error('down'));
    await failed;
    expect(await cut).toMatchObject({ name: 'TimeoutError' });
    await flush();
    expect(fn).not.toHaveBeenCalled();
    expect(app.breakers.get('payments').getSnapshot()).toMatchObject({
      state: CircuitState.CLOSED,
      calls: 0,
    });
    expect(app.bulkheads.get('db').getSnapshot()).toMatchObject({ running: 0, queued: 0 });
  });
});

describe('a call that the breaker let in, and that has waited in a queue since', () => {
  async function waiting(work: () => Promise<string>) {
    const app = await boot({
      breakers: { payments: { failureThreshold: 1, successThreshold: 1, timeoutMs: 1_000 } },
    });
    const breaker = app.breakers.get('payments');
    const pipeline = app.pipeline({ circuitBreaker: 'payments', bulkhead: { maxConcurrent: 1 } });
    const slot = new Deferred<string>();
    const running = pipeline.execute(() => slot.promise);
    const call = pipeline.execute(work).catch((error: unknown) => error);
    await flush();
    const open = () => failure(breaker.execute(() => Promise.reject(new Error('down'))));
    /** The slot becomes free. */
    const goOn = async () => {
      slot.resolve('answer');
      await running;
      return call;
    };
    return { app, breaker, open, goOn };
  }

  it('runs where the breaker is still closed', async () => {
    const { goOn } = await waiting(async () => 'ran');
    expect(await goOn()).toBe('ran');
  });

  it('does not run where the breaker has opened meanwhile', async () => {
    const work = jest.fn(async () => 'ran');
    const { open, goOn } = await waiting(work);
    await open();
    expect(await goOn()).toMatchObject({ code: 'CIRCUIT_OPEN', retryAfterMs: 1_000 });
    expect(work).not.toHaveBeenCalled();
  });

  it('does not run beside a probe, for it is none', async () => {
    const work = jest.fn(async () => 'ran');
    const { breaker, open, goOn } = await waiting(work);
    await open();
    await elapse(1_000);
    const probe = new Deferred();
    const probing = breaker.execute(() => probe.promise);
    expect(await goOn()).toMatchObject({ code: 'CIRCUIT_OPEN', retryAfterMs: 0 });
    expect(work).not.toHaveBeenCalled();
    probe.resolve('answer');
    await probing;
  });

  it('runs where somebody has disabled the breaker', async () => {
    const { breaker, open, goOn } = await waiting(async () => 'ran');
    await open();
    breaker.disable();
    expect(await goOn()).toBe('ran');
  });

  it('runs as the probe that it is, unless it has lost its permit', async () => {
    for (const [waitedMs, outcome] of [
      [999, 'ran'],
      [1_000, expect.objectContaining({ code: 'CIRCUIT_OPEN' })],
    ] as const) {
      const { app, breaker, open } = await waiting(never);
      const bulkhead = new Deferred();
      const pipeline = app.pipeline({
        name: 'probing',
        circuitBreaker: 'payments',
        bulkhead: { maxConcurrent: 1 },
      });
      void app.bulkheads.get('probing').execute(() => bulkhead.promise);
      await open();
      await elapse(1_000);
      const probe = pipeline.execute(async () => 'ran').catch((error: unknown) => error);
      await elapse(waitedMs);
      void breaker.execute(never).catch(() => undefined); // takes the permit of one that hangs
      bulkhead.resolve(undefined);
      expect(await probe).toEqual(outcome);
    }
  });

  it('runs as part of the probe that it is made inside of', async () => {
    const { app, breaker, open } = await waiting(never);
    const slot = new Deferred();
    const inner = app.pipeline({
      name: 'inside',
      circuitBreaker: 'payments',
      bulkhead: { maxConcurrent: 1 },
    });
    void app.bulkheads.get('inside').execute(() => slot.promise);
    await open();
    await elapse(1_000);
    const probe = breaker.execute(() => inner.execute(async () => 'ran'));
    await flush();
    slot.resolve(undefined);
    expect(await probe).toBe('ran');
    expect(breaker.getState()).toBe(CircuitState.CLOSED);
  });
});

describe('a deadline around a breaker and a queue', () => {
  it.each(['alone', 'pipeline'])(
    'that passes while the call waits teaches the breaker nothing (%s)',
    async (kind) => {
      const app = await boot({ breakers: { payments: SLOW } });
      const breaker = app.breakers.get('payments');
      const bulkhead = new BulkheadPolicy('own', { maxConcurrent: 1 });
      void bulkhead.execute(never);
      const inner = app.pipeline({ name: 'inner', circuitBreaker: 'payments' });
      const around = app.pipeline({ name: 'around', timeoutMs: 100 });
      const through = () => bulkhead.execute(never);
      const call = failure(
        around.execute(() =>
          kind === 'alone' ? breaker.execute(through) : inner.execute(through),
        ),
      );
      await elapse(100);
      expect(await call).toMatchObject({ code: 'TIMEOUT' });
      await flush();
      expect(breaker.getSnapshot()).toMatchObject({ state: CircuitState.CLOSED, calls: 0 });
    },
  );

  it('counts where the call waited for a part of the time only', async () => {
    const app = await boot({ breakers: { payments: SLOW } });
    const breaker = app.breakers.get('payments');
    const bulkhead = new BulkheadPolicy('own', { maxConcurrent: 1 });
    void bulkhead.execute(never);
    const around = app.pipeline({ name: 'around', timeoutMs: 100 });
    const call = failure(
      around.execute(() =>
        breaker.execute(async () => {
          await taking(60)();
          return bulkhead.execute(never);
        }),
      ),
    );
    await elapse(100);
    await call;
    expect(breaker.getState()).toBe(CircuitState.OPEN);
  });
});
