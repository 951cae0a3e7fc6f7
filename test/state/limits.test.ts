import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { HedgePolicy } from '../../lib/hedge/hedge.policy.js';
import { BulkheadPolicy, RateLimitPolicy } from '../../lib/index.js';
import { RetryBudget } from '../../lib/retry/retry-budget.js';
import { elapse } from '../support/resilience-app.js';

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** As it comes back from a store. */
const stored = (remembered: unknown) => JSON.parse(JSON.stringify(remembered ?? null)) as unknown;

async function takeAll(policy: RateLimitPolicy, count: number): Promise<void> {
  for (let made = 0; made < count; made++) await policy.execute(async () => undefined);
}

describe('Across a restart', () => {
  it('an adaptive bulkhead goes on with the limit that it had found', async () => {
    const before = new BulkheadPolicy('ledger', { adaptive: true });
    expect(before.remember()).toBeUndefined();
    for (let round = 0; round < 40; round++) {
      const calls = Array.from({ length: before.getSnapshot().maxConcurrent }, () =>
        before.execute(() => new Promise((resolve) => setTimeout(resolve, 10))),
      );
      await elapse(10);
      await Promise.all(calls);
    }
    const { maxConcurrent } = before.getSnapshot();
    expect(maxConcurrent).toBeGreaterThan(10);
    const after = new BulkheadPolicy('ledger', { adaptive: true });
    after.recall(stored(before.remember()));
    expect(after.getSnapshot().maxConcurrent).toBe(maxConcurrent);
    const narrow = new BulkheadPolicy('ledger', { adaptive: true, maxConcurrent: 5 });
    narrow.recall(stored(before.remember()));
    expect(narrow.getSnapshot().maxConcurrent).toBe(5);
    expect(new BulkheadPolicy('ledger').remember()).toBeUndefined();
  });

  it('a rate limit has only what came in meanwhile', async () => {
    const options = { limit: 10 };
    const before = new RateLimitPolicy('partner', options);
    expect(before.remember()).toBeUndefined();
    await takeAll(before, 10);
    const after = new RateLimitPolicy('partner', options);
    after.recall(stored(before.remember()), 400);
    expect(after.getSnapshot().available).toBe(4);
    const later = new RateLimitPolicy('partner', options);
    later.recall(stored(before.remember()), 5_000);
    expect(later.getSnapshot().available).toBe(10);
    const used = new RateLimitPolicy('partner', options);
    await takeAll(used, 3);
    used.recall(stored(before.remember()), 400);
    expect(used.getSnapshot().available).toBe(1);
  });

  it('a rate limit stays away for what is left of a pause', async () => {
    const options = { limit: 10, adaptToResponses: true };
    const before = new RateLimitPolicy('partner', options);
    await before.execute(async () => ({ status: 429, headers: { 'retry-after': '30' } }));
    const after = new RateLimitPolicy('partner', options);
    after.recall(stored(before.remember()), 10_000);
    expect(after.getSnapshot()).toMatchObject({ pausedMs: 20_000, available: 0 });
    const later = new RateLimitPolicy('partner', options);
    later.recall(stored(before.remember()), 40_000);
    expect(later.getSnapshot()).toMatchObject({ pausedMs: 0, available: 10 });
  });

  it('a retry budget has spent what it had spent', () => {
    const options = { ratio: 0, minRetriesPerSecond: 1, windowMs: 10_000 };
    const before = new RetryBudget('partner', options);
    expect(before.remember()).toBeUndefined();
    const spent = Array.from({ length: 20 }, () => before.tryRetry(0)).filter(Boolean).length;
    expect(spent).toBeGreaterThan(1);
    const after = new RetryBudget('partner', options);
    after.recall(stored(before.remember()), 0);
    expect(after.remember()).toEqual(before.remember());
    expect(after.tryRetry(0)).toBe(false);
    const later = new RetryBudget('partner', options);
    later.recall(stored(before.remember()), 11_000);
    expect(later.remember()).toBeUndefined();
  });

  it('a hedge knows how long answers take', () => {
    const before = new HedgePolicy('Prices.get', { afterPercentile: 90 }, 'here');
    for (let ms = 1; ms <= 150; ms++) before.recordAnswer(ms);
    const after = new HedgePolicy('Prices.get', { afterPercentile: 90 }, 'here');
    after.recall(stored(before.remember()));
    expect(after.delayMs).toBe(before.delayMs);
    after.recordAnswer(1_000);
    before.recordAnswer(1_000);
    expect(after.remember()).toEqual(before.remember());
    after.recall({ answersMs: [5] });
    expect(after.remember()).toEqual(before.remember());
    const fixed = new HedgePolicy('Prices.get', { delayMs: 5 }, 'here', undefined, before);
    expect(fixed.remember()).toBeUndefined();
    const again = new HedgePolicy('Prices.get', { afterPercentile: 90 }, 'here', undefined, fixed);
    expect(again.delayMs).toBe(before.delayMs);
  });

  it('garbage is left out', async () => {
    const number = fc.oneof(
      fc.double(),
      fc.constantFrom(-1, 0, 1e300, Number.MAX_SAFE_INTEGER),
      fc.anything(),
    );
    const garbage = fc.oneof(
      fc.anything(),
      fc.record(
        {
          limit: number,
          unloadedMs: number,
          missing: number,
          pausedMs: number,
          firstAttempts: number,
          retries: fc.oneof(fc.array(number), number),
          answersMs: fc.oneof(fc.array(number), number),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(garbage, fc.nat(100_000), (remembered, agoMs) => {
        const bulkhead = new BulkheadPolicy('ledger', { adaptive: true });
        bulkhead.recall(remembered);
        const { maxConcurrent } = bulkhead.getSnapshot();
        expect(maxConcurrent).toBeGreaterThanOrEqual(1);
        expect(maxConcurrent).toBeLessThanOrEqual(200);
        const rateLimit = new RateLimitPolicy('partner', { limit: 10 });
        rateLimit.recall(remembered, agoMs);
        const { available, pausedMs } = rateLimit.getSnapshot();
        expect(available).toBeGreaterThanOrEqual(0);
        expect(pausedMs).toBeLessThanOrEqual(86_400_000);
        const budget = new RetryBudget('partner');
        budget.recall(remembered, agoMs);
        expect(typeof budget.tryRetry(0)).toBe('boolean');
        const hedge = new HedgePolicy('Prices.get', { afterPercentile: 90 }, 'here');
        hedge.recall(remembered);
        expect(hedge.delayMs ?? 0).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });
});
