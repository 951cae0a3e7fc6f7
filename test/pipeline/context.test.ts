import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { NEVER, Observable } from 'rxjs';
import { enclosingScope } from '../../lib/context/ambient.js';
import {
  BulkheadPolicy,
  CircuitBreakerPolicy,
  currentSignal,
  TimeoutError,
} from '../../lib/index.js';
import { ResilienceApp } from '../support/resilience-app.js';

let app: ResilienceApp;
beforeAll(async () => {
  app = await ResilienceApp.boot();
});
afterEach(() => jest.clearAllTimers());
afterAll(async () => {
  jest.useRealTimers();
  await app.close();
});

const hang = () => new Promise<never>(() => undefined);
/** Fake timers do not carry the async context, so this does. */
const later = (ms: number) => {
  const resume = AsyncLocalStorage.snapshot();
  return new Promise<void>((resolve) => setTimeout(() => resume(resolve), ms));
};

describe('A call that outlives its caller', () => {
  it('leaves the deadline of the ended caller behind, also in the calls that it makes itself', async () => {
    const inner = app.pipeline({ retry: { maxAttempts: 1 } });
    const job = app.pipeline({ retry: { maxAttempts: 1 } });
    const outer = app.pipeline({ timeoutMs: 50 });
    let sent: Promise<string> | undefined;
    await outer.execute(async () => {
      sent = job.execute(async () => {
        await later(120);
        return inner.execute(async () => 'sent');
      });
    });
    await jest.advanceTimersByTimeAsync(120);
    await expect(sent).resolves.toBe('sent');
  });

  it('keeps no chain of those that ended before it', async () => {
    const step = app.pipeline({ timeoutMs: 1000 });
    let depth = 0;
    let scope: ReturnType<typeof enclosingScope>;
    const next = async (left: number): Promise<void> => {
      await null;
      scope = enclosingScope();
      if (left > 0) void step.execute(() => next(left - 1));
    };
    await step.execute(() => next(20));
    for (let tick = 0; tick < 200; tick++) await null;
    for (let at = scope; at !== undefined; at = at.caller) depth++;
    expect(depth).toBeLessThan(3);
  });
});

describe('A timeout', () => {
  it('is reported, judged and cleaned up after in the async context of its own call', async () => {
    const user = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const note = (what: string) => seen.push(`${what} ${user.getStore()}`);
    const pipeline = app.pipeline({
      timeoutMs: 100,
      circuitBreaker: {
        isFailure: () => {
          note('isFailure');
          return true;
        },
      },
    });
    const events = app.events.events$.subscribe(({ type }) => {
      if (type === 'timeout') note(type);
    });
    const stream = new Observable<never>(() => () => note('teardown'));
    const calls = ['A', 'B'].map((name) =>
      user.run(name, () => {
        const outcome = new Promise((_, reject) => {
          pipeline.observe(() => stream).subscribe({ error: reject });
        });
        return outcome.catch((error) => error);
      }),
    );
    await jest.advanceTimersByTimeAsync(100);
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(TimeoutError);
    events.unsubscribe();
    expect(seen.sort()).toEqual(
      ['isFailure A', 'isFailure B', 'teardown A', 'teardown B', 'timeout A', 'timeout B'].sort(),
    );
  });
});

describe('A policy on its own', () => {
  const policies = [
    ['circuit breaker', new CircuitBreakerPolicy('alone')],
    ['bulkhead', new BulkheadPolicy('alone')],
  ] as const;

  it.each(policies)(
    '(%s) starts nothing when its caller has no time left',
    async (_kind, policy) => {
      const fn = jest.fn(async () => 'called');
      const call = app.pipeline({ timeoutMs: 20 }).execute(async () => {
        jest.setSystemTime(Date.now()); // the clock goes on, while the event loop is blocked
        const blocked = performance.now() + 50;
        jest.spyOn(performance, 'now').mockReturnValue(blocked);
        try {
          return await policy.execute(fn);
        } finally {
          jest.mocked(performance.now).mockRestore();
        }
      });
      await expect(call).rejects.toBeInstanceOf(TimeoutError);
      expect(fn).not.toHaveBeenCalled();
    },
  );

  it('(bulkhead) does not run a waiter whose caller gives up in the moment the slot is handed on', async () => {
    const bulkhead = new BulkheadPolicy('moment', { maxConcurrent: 1 });
    bulkhead.tryAcquire();
    const fn = jest.fn(async () => 'ran');
    const aborter = new AbortController();
    const waiter = app
      .pipeline({})
      .execute(() => bulkhead.execute(fn), { signal: aborter.signal })
      .catch((error) => error);
    await null;
    bulkhead.release();
    aborter.abort(new Error('gone'));
    expect(await waiter).toEqual(new Error('gone'));
    for (let tick = 0; tick < 10; tick++) await null;
    expect(fn).not.toHaveBeenCalled();
    expect(bulkhead.getSnapshot().running).toBe(0);
  });
});

describe('What user code throws at the library', () => {
  it('never takes the place of the error: reasons, proxies and causes with getters that throw', async () => {
    const hostile = new Error('down');
    Object.defineProperty(hostile, 'cause', {
      get() {
        throw new Error('getter');
      },
    });
    const fallbackError = new Error('fallback');
    const withFallback = app.pipeline({
      fallback: () => {
        throw fallbackError;
      },
    });
    await expect(withFallback.execute(() => Promise.reject(hostile))).rejects.toBe(fallbackError);
    const proxy = new Proxy(
      {},
      {
        has() {
          throw new Error('trap');
        },
      },
    );
    await expect(app.pipeline({}).execute(() => Promise.reject(proxy))).rejects.toBe(proxy);
  });

  it('does not keep a call from ending, where the reason of its caller cannot be read', async () => {
    const reason = Object.defineProperty({}, 'name', {
      get() {
        throw new Error('getter');
      },
    });
    const aborter = new AbortController();
    const call = app.pipeline({}).execute(hang, { signal: aborter.signal });
    const outcome = call.catch((error) => error);
    aborter.abort(reason);
    expect(await outcome).toBe(reason);
  });
});

describe('Subscribers of events', () => {
  it('all see them in the order in which they happened, also where one of them causes the next', async () => {
    const breaker = app.pipeline({
      name: 'ordered',
      circuitBreaker: { failureThreshold: 1 },
    });
    const seen: string[] = [];
    const resetting = app.events.events$.subscribe((event) => {
      if (event.type === 'circuit-state' && event.to === 'OPEN')
        app.breakers.get('ordered').reset();
    });
    const mirror = app.events.events$.subscribe((event) => {
      if (event.type === 'circuit-state') seen.push(event.to);
    });
    await breaker.execute(() => Promise.reject(new Error('down'))).catch(() => undefined);
    resetting.unsubscribe();
    mirror.unsubscribe();
    expect(seen).toEqual(['OPEN', 'CLOSED']);
  });
});

describe('An operation that calls itself', () => {
  it('counts one error once, however deep it comes from', async () => {
    const error = new Error('deep');
    const { total } = app.tracker.getMetrics();
    const recursive = app.pipeline({ name: 'recursive' });
    const descend = (depth: number): Promise<never> =>
      recursive.execute(() => (depth === 0 ? Promise.reject(error) : descend(depth - 1)));
    await expect(descend(3)).rejects.toBe(error);
    expect(app.tracker.getMetrics().total).toBe(total + 1);
    await expect(descend(0)).rejects.toBe(error);
    expect(app.tracker.getMetrics().total).toBe(total + 2);
  });
});

describe('A stream', () => {
  it('that was never asked for its signal makes none', () => {
    const made = jest.spyOn(globalThis, 'AbortController');
    const subscription = app
      .pipeline({ timeoutMs: 10 })
      .observe(() => NEVER)
      .subscribe({ error: () => undefined });
    subscription.unsubscribe();
    expect(made).not.toHaveBeenCalled();
    made.mockRestore();
    expect(currentSignal().aborted).toBe(false);
  });
});
