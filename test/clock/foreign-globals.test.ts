import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type * as Support from '../support/resilience-app.js';

const { setTimeout, clearTimeout, AbortController } = globalThis;
const escaped: unknown[] = [];
const onEscape = (error: unknown) => escaped.push(error);

beforeEach(() => {
  jest.resetModules();
  escaped.length = 0;
  process.on('unhandledRejection', onEscape);
});
afterEach(async () => {
  jest.useRealTimers();
  Object.assign(globalThis, { setTimeout, clearTimeout, AbortController });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onEscape);
  expect(escaped).toEqual([]);
});

/** Timers as browsers, jsdom and Electron have them: numbers, which nobody can unref. */
function numberTimers(): void {
  const timers = new Map<number, NodeJS.Timeout>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  Object.assign(globalThis, {
    setTimeout: (fn: () => void, ms: number) => timers.set(timers.size + 1, set(fn, ms)).size,
    clearTimeout: (id: number) => clear(timers.get(id)),
  });
}

/** An `AbortController` that is not Node's: its signal is no `EventTarget` that Node knows. */
class ForeignAbortController {
  readonly signal = new ForeignSignal();

  abort(reason?: unknown): void {
    this.signal.aborted = true;
    this.signal.reason = reason;
    for (const listener of this.signal.listeners) listener();
  }
}
class ForeignSignal {
  aborted = false;
  reason: unknown = undefined;
  readonly listeners = new Set<() => void>();

  addEventListener(_type: string, listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: string, listener: () => void): void {
    this.listeners.delete(listener);
  }
}

/** The library, and all that it uses, loaded anew with the globals that there are now. */
async function load() {
  const support = (await import('../support/resilience-app.js')) as typeof Support;
  const app = await support.ResilienceApp.boot();
  return { ...support, app };
}

describe.each(['before', 'after'])('timers that are numbers, %s the library was loaded', (when) => {
  it('end calls, waits and queues, and are gone with them', async () => {
    jest.useFakeTimers();
    if (when === 'before') numberTimers();
    const { app, watch, never } = await load();
    jest.useFakeTimers();
    numberTimers();
    const pass = async (ms: number) => {
      jest.advanceTimersByTime(ms);
      for (let i = 0; i < 30; i++) await undefined;
    };
    const timed = app.pipeline({ timeoutMs: 100 });
    for (let round = 0; round < 3; round++) {
      const call = watch(timed.execute(never));
      expect(await timed.execute(async () => 'answer')).toBe('answer');
      await pass(100);
      expect(call.error).toMatchObject({ name: 'TimeoutError' });
    }
    const run = jest.fn(async () => Promise.reject(new Error('down')));
    const retry = { maxAttempts: 2, baseDelayMs: 50, jitter: 'none' } as const;
    const retried = watch(app.pipeline({ retry }).execute(run));
    await pass(0);
    await pass(50);
    expect(retried.state).toBe('rejected');
    expect(run).toHaveBeenCalledTimes(2);
    const queue = app.pipeline({ bulkhead: { maxConcurrent: 1, queueTimeoutMs: 50 } });
    watch(queue.execute(never));
    const queued = watch(queue.execute(never));
    await pass(50);
    expect(queued.error).toMatchObject({ reason: 'queue-timeout' });
    expect(jest.getTimerCount()).toBe(0);
    await app.close();
  });
});

describe('signals that are not Node’s', () => {
  it('are aborted with an attempt, and whatever their listeners throw, the call ends', async () => {
    Object.assign(globalThis, { AbortController: ForeignAbortController });
    const { app, watch, elapse } = await load();
    const { currentSignal } = await import('../../lib/index.js');
    const heard = jest.fn();
    const call = watch(
      app.pipeline({ timeoutMs: 100 }).execute(
        () =>
          new Promise(() => {
            currentSignal().addEventListener('abort', heard);
            currentSignal().addEventListener('abort', () => {
              throw new Error('a listener');
            });
          }),
      ),
    );
    await elapse(100);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(call.error).toMatchObject({ name: 'TimeoutError' });
    await app.close();
  });
});
