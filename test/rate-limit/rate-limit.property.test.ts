import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { RateLimitPolicy } from '../../lib/index.js';
import { elapse, flush, watch } from '../support/resilience-app.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ calls: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 5, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 1, arbitrary: fc.record({ limit: fc.integer({ min: 1, max: 30 }) }) },
);

describe('A rate limit', () => {
  it('lets no more begin in any interval than its limit and a burst, and answers every call once', async () => {
    let waited = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 30 }),
        fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
        fc.constantFrom(0, 50, 1_000),
        fc.boolean(),
        fc.array(step, { minLength: 10, maxLength: 60 }),
        async (limit, burst, maxWaitMs, isWeighed, steps) => {
          let weight = 1;
          const policy = new RateLimitPolicy('partner', {
            limit,
            maxWaitMs,
            queueLimit: 20,
            ...(burst === undefined ? {} : { burst }),
            ...(isWeighed ? { weight: () => weight } : {}),
          });
          const limits = [limit];
          const began: { at: number; weight: number }[] = [];
          const calls: ReturnType<typeof watch>[] = [];
          for (const each of steps) {
            if ('ms' in each) await elapse(each.ms);
            else if ('limit' in each) {
              policy.setLimit(each.limit);
              limits.push(each.limit);
            } else {
              for (let made = 0; made < each.calls; made++) {
                weight = 0.25 * ((made % 4) + 1);
                const own = isWeighed ? weight : 1;
                const at = performance.now();
                const begin = async () => {
                  began.push({ at: performance.now(), weight: own });
                  if (performance.now() > at) waited++;
                };
                calls.push(watch(policy.execute(begin)));
              }
            }
            await flush();
          }
          await elapse(60_000);
          expect(jest.getTimerCount()).toBe(0);
          expect(calls.filter(({ state }) => state === 'fulfilled')).toHaveLength(began.length);
          expect(calls.some(({ state }) => state === 'pending')).toBe(false);
          const largest = Math.max(...limits);
          const most = largest + (burst ?? largest);
          for (const { at: from } of began) {
            const inside = began.filter(({ at }) => at >= from && at < from + 1_000);
            const sum = inside.reduce((total, each) => total + each.weight, 0);
            expect(sum).toBeLessThanOrEqual(most + 1e-6);
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(waited).toBeGreaterThan(10);
  });

  it.each([
    ['a burst of one', 1],
    ['a small burst', 3],
    ['a burst of its limit', 50],
  ])('uses 99 %% of its limit where twice as many ask, with %s', async (_, burst) => {
    const policy = new RateLimitPolicy('partner', {
      limit: 50,
      burst,
      maxWaitMs: 2_000,
      queueLimit: 1_000,
    });
    let begun = 0;
    for (let made = 0; made < 3_000; made++) {
      watch(policy.execute(async () => void begun++));
      await elapse(10);
      if (made === 999) begun = 0; // what is in the bucket and in the queue at first is not measured
    }
    expect(begun).toBeGreaterThanOrEqual(0.99 * 50 * 20);
    expect(begun).toBeLessThanOrEqual(50 * 20 + burst);
    await elapse(3_000);
  });

  it('takes what is due at the time of a clock that a test puts in force, and loses nothing by it', async () => {
    jest.useRealTimers();
    const used = new RateLimitPolicy('used', { limit: 10, maxWaitMs: 1_000 });
    await Promise.all(Array.from({ length: 10 }, () => used.execute(async () => 1)));
    const unused = new RateLimitPolicy('unused', { limit: 10 });
    const waiting = watch(used.execute(async () => 'answer'));
    jest.useFakeTimers({ now: 0 });
    expect(unused.getSnapshot()).toMatchObject({ available: 10 });
    expect(used.getSnapshot()).toMatchObject({ available: 0, queued: 1 });
    await elapse(101);
    expect(waiting.value).toBe('answer');
    await elapse(1_000);
    expect(used.getSnapshot()).toMatchObject({ available: 10, queued: 0 });
    await used.execute(async () => 1);
    jest.useRealTimers();
    expect(used.getSnapshot().available).toBeGreaterThanOrEqual(9);
    expect(await used.execute(async () => 'real')).toBe('real');
  });
});
