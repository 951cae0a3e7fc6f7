import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
  CircuitBreakerPolicy,
} from '../../lib/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { booting } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

const OPTIONS = { failureThreshold: 2, successThreshold: 2, timeoutMs: 1_000 } as const;
const DOWN = new Error('down');

const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const call = (breaker: CircuitBreakerPolicy, fails: boolean): Promise<unknown> =>
  breaker.execute(async () => (fails ? Promise.reject(DOWN) : 'up')).catch((error) => error);

/** The breaker as it is after a restart that took so long. */
function restarted(
  breaker: CircuitBreakerPolicy,
  agoMs: number,
  options: CircuitBreakerOptions = breaker.given,
) {
  const document = JSON.stringify(breaker.remember() ?? null);
  const events: StageEvent[] = [];
  const after = new CircuitBreakerPolicy(
    'payments',
    options,
    stageHost((event) => events.push(event)),
  );
  after.recall(JSON.parse(document), agoMs);
  return { after, events };
}

async function opened(options: CircuitBreakerOptions = OPTIONS) {
  const breaker = new CircuitBreakerPolicy('payments', options);
  await call(breaker, true);
  await call(breaker, true);
  return breaker;
}

describe('What a circuit breaker has learnt', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is nothing of one that is as if it was new', async () => {
    const breaker = new CircuitBreakerPolicy('payments', OPTIONS);
    expect(breaker.remember()).toBeUndefined();
    await call(breaker, true);
    await wait(60_000);
    expect(breaker.remember()).toBeUndefined();
  });

  it('is for how long it is open, which goes on where it was', async () => {
    const breaker = await opened();
    await wait(300);
    const { after, events } = restarted(breaker, 200);
    expect(after.getState()).toBe('OPEN');
    expect(after.getSnapshot()).toMatchObject({ retryAfterMs: 500, failures: 2 });
    expect(Date.now() - Date.parse(after.getSnapshot().openedAt as string)).toBe(500);
    expect(events).toMatchObject([{ from: 'CLOSED', to: 'OPEN', reason: 'recalled' }]);
    expect(await call(after, false)).toBeInstanceOf(CircuitBreakerOpenError);
    await wait(500);
    expect(await call(after, false)).toBe('up');
    expect(after.getState()).toBe('HALF_OPEN');
    expect(restarted(after, 0).after.getSnapshot()).toMatchObject({
      state: 'OPEN',
      retryAfterMs: 0,
    });
  });

  it('is who has forced it', async () => {
    const breaker = new CircuitBreakerPolicy('payments', OPTIONS);
    breaker.forceOpen({ by: 'alice' });
    const { after, events } = restarted(breaker, 200);
    expect(events).toMatchObject([{ to: 'FORCED_OPEN', reason: 'recalled', by: 'alice' }]);
    expect(restarted(after, 0).events).toMatchObject([{ by: 'alice' }]); // also after another restart
    after.reset({ by: 'bob' });
    expect(after.remember()).toBeUndefined();
  });

  it('is how often recovery has failed, by which the next time is longer', async () => {
    const breaker = await opened({ ...OPTIONS, timeoutFactor: 2 });
    await wait(1_000);
    await call(breaker, true);
    const { after } = restarted(breaker, 500);
    expect(after.getSnapshot().retryAfterMs).toBe(1_500);
    await wait(1_500);
    await call(after, true);
    expect(after.getSnapshot().retryAfterMs).toBe(4_000);
  });

  it('holds for no longer than the options allow by now', async () => {
    const { after } = restarted(await opened(), 0, { ...OPTIONS, timeoutMs: 200 });
    expect(after.getSnapshot().retryAfterMs).toBe(200);
  });

  it('is how the latest calls ended, in a window of calls and in one of time', async () => {
    const byCalls = new CircuitBreakerPolicy('payments', { failureThreshold: 3, windowCalls: 4 });
    for (const fails of [true, true, false, false, true]) await call(byCalls, fails);
    const calls = restarted(byCalls, 86_000_000).after;
    expect(calls.getSnapshot()).toMatchObject({ calls: 4, failures: 2 });
    await call(calls, true);
    expect(calls.getSnapshot()).toMatchObject({ state: 'CLOSED', calls: 4, failures: 2 });
    await call(calls, true);
    expect(calls.getState()).toBe('OPEN');

    const byTime = new CircuitBreakerPolicy('payments', { failureThreshold: 3, windowMs: 1_000 });
    await call(byTime, true);
    await wait(400);
    await call(byTime, true);
    const time = restarted(byTime, 500).after;
    expect(time.getSnapshot()).toMatchObject({ calls: 2, failures: 2 });
    await wait(200);
    await call(time, true); // the first of them has left the window
    expect(time.getState()).toBe('CLOSED');
    expect(restarted(byTime, 500, { failureThreshold: 3, windowCalls: 4 }).after.remember()).toBe(
      undefined,
    );
  });

  it('is how far it has let the calls back', async () => {
    const breaker = await opened({ ...OPTIONS, successThreshold: 1, rampUpMs: 1_000 });
    await wait(1_000);
    await call(breaker, false);
    await wait(300);
    const { after } = restarted(breaker, 200);
    expect(after.getSnapshot()).toMatchObject({ state: 'CLOSED', rampUpShare: 0.55 });
    expect(restarted(breaker, 2_000).after.remember()).toBeUndefined();
  });

  it('is what somebody has forced it to, and what it would do in shadow', async () => {
    const breaker = await opened();
    breaker.forceOpen();
    expect(restarted(breaker, 5_000).after.getState()).toBe('FORCED_OPEN');
    breaker.disable();
    expect(restarted(breaker, 5_000).after.getState()).toBe('DISABLED');
    const shadow = restarted(await opened({ ...OPTIONS, mode: 'shadow' }), 100);
    expect(shadow.after.getSnapshot()).toMatchObject({ state: 'CLOSED', wouldBe: 'OPEN' });
    expect(shadow.events).toEqual([]);
  });

  it('does not come in where something has happened since', async () => {
    const remembered = (await opened()).remember();
    const breaker = new CircuitBreakerPolicy('payments', OPTIONS);
    await call(breaker, false);
    breaker.recall(remembered, 0);
    expect(breaker.getState()).toBe('CLOSED');
  });

  it('is left out where it is garbage, and never throws', async () => {
    const sound = (await opened()).remember() as object;
    const garbage = fc.oneof(
      fc.anything(),
      fc.record({
        version: fc.constantFrom(1, 2),
        state: fc.oneof(
          fc.constantFrom('OPEN', 'CLOSED', 'FORCED_OPEN', 'toString'),
          fc.anything(),
        ),
        outage: fc.oneof(
          fc.anything(),
          fc.record({
            beganAgoMs: fc.double(),
            openForMs: fc.double(),
            lengthMs: fc.double(),
            failedRecoveries: fc.oneof(fc.double(), fc.integer()),
          }),
        ),
        rampedForMs: fc.anything(),
        outcomes: fc.oneof(
          fc.constant(new Array(100_000).fill([1, 1, 1, 1])),
          fc.constant('3'.repeat(1_000_000)),
          fc.array(fc.array(fc.oneof(fc.double(), fc.nat()))),
          fc.anything(),
        ),
      }),
      fc
        .record({ key: fc.constantFrom(...Object.keys(sound)), value: fc.anything() })
        .map(({ key, value }) => ({ ...sound, [key]: value })),
    );
    await fc.assert(
      fc.asyncProperty(garbage, fc.oneof(fc.nat(), fc.double()), async (remembered, agoMs) => {
        for (const window of [{ windowCalls: 5 }, { windowMs: 1_000 }]) {
          const breaker = new CircuitBreakerPolicy('payments', {
            ...OPTIONS,
            ...window,
            rampUpMs: 100,
          });
          breaker.recall(remembered, agoMs);
          const { calls, failures, retryAfterMs = 0, rampUpShare = 1 } = breaker.getSnapshot();
          expect(calls).toBeGreaterThanOrEqual(failures);
          expect(retryAfterMs).toBeLessThanOrEqual(1_000);
          expect(rampUpShare).toBeLessThanOrEqual(1);
          await call(breaker, false);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('What breakers by key have learnt', () => {
  const boot = booting();

  it('comes back with the key', async () => {
    let document = '';
    const save = (text: string) => {
      document = text;
    };
    const state = { load: () => document, save };
    const breakers = { partner: { ...OPTIONS, timeoutMs: 60_000, key: () => 'acme' } };
    const pipelineOf = (app: Awaited<ReturnType<typeof boot>>) =>
      app.pipeline({ circuitBreaker: 'partner' });
    const before = await boot({ state, breakers });
    for (let i = 0; i < 2; i++)
      await pipelineOf(before)
        .execute(() => Promise.reject(DOWN))
        .catch(() => undefined);
    await before.close();
    const after = await boot({ state, breakers });
    await expect(pipelineOf(after).execute(async () => 'up')).rejects.toThrow(
      CircuitBreakerOpenError,
    );
  });
});
