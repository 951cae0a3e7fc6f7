import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from '../../lib/retry/retry-budget.js';

/** Calls that begin and retries that are asked for, at times in ms. */
const script = fc
  .array(fc.record({ wait: fc.nat(400), isRetry: fc.boolean() }), { minLength: 50, maxLength: 400 })
  .map((entries) => {
    let at = 0;
    return entries.map(({ wait, isRetry }) => {
      at += wait < 300 ? 0 : wait; // mostly in bursts
      return { at, isRetry };
    });
  });

function play(budget: RetryBudget, entries: { at: number; isRetry: boolean }[]) {
  const firsts: number[] = [];
  const retries: number[] = [];
  for (const { at, isRetry } of entries) {
    if (!isRetry) {
      budget.recordFirstAttempt(at);
      firsts.push(at);
    } else if (budget.tryRetry(at)) {
      retries.push(at);
    }
  }
  return { firsts, retries };
}

const within = (times: number[], end: number, windowMs: number) =>
  times.filter((time) => time > end - windowMs && time <= end).length;

describe('a retry budget', () => {
  it('allows over any window at most ratio × first attempts + minRetriesPerSecond × window', () => {
    fc.assert(
      fc.property(
        script,
        fc.constantFrom(0, 0.1, 0.2, 1),
        fc.constantFrom(0, 0.5, 3),
        fc.constantFrom(1_000, 4_000, 10_000),
        (entries, ratio, minRetriesPerSecond, windowMs) => {
          const budget = new RetryBudget('b', { ratio, minRetriesPerSecond, windowMs });
          const { firsts, retries } = play(budget, entries);
          for (const end of retries) {
            const allowed =
              ratio * within(firsts, end, windowMs) + (minRetriesPerSecond * windowMs) / 1_000;
            expect(within(retries, end, windowMs)).toBeLessThanOrEqual(allowed);
          }
        },
      ),
    );
  });

  it('allows what it says under a steady load', () => {
    const budget = new RetryBudget('b', { ratio: 0.2, minRetriesPerSecond: 0 });
    let retries = 0;
    for (let at = 0; at < 60_000; at += 10) {
      budget.recordFirstAttempt(at);
      if (budget.tryRetry(at)) retries++;
    }
    expect(retries).toBeGreaterThan(0.18 * 6_000); // its windows are up to a tenth on the safe side
    expect(retries).toBeLessThanOrEqual(0.2 * 6_000);
  });

  it('is spent evenly: in any quarter at most 1.2 times its share, in any second twice, or one burst', () => {
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 10, windowMs: 10_000 });
    const retries: number[] = [];
    for (let at = 0; at < 60_000; at += 5) if (budget.tryRetry(at)) retries.push(at);
    for (const end of retries) {
      expect(within(retries, end, 1_000)).toBeLessThanOrEqual(end < 2_500 ? 50 : 20);
      expect(within(retries, end, 2_500)).toBeLessThanOrEqual(end < 5_000 ? 50 : 30);
    }
    expect(within(retries, 999, 1_000)).toBe(50);
    expect(within(retries, 9_999, 10_000)).toBe(100);
  });

  it('lets the first 50 retries of a quiet window come at once, and of a small one half of its floor', () => {
    const burst = (minRetriesPerSecond: number, windowMs = 10_000, ratio = 0.2) => {
      const budget = new RetryBudget('b', { ratio, minRetriesPerSecond, windowMs });
      for (let call = 0; call < 30; call++) budget.recordFirstAttempt(20_000);
      let retries = 0;
      for (let call = 0; call < 200; call++) if (budget.tryRetry(20_000)) retries++;
      return retries;
    };
    expect(burst(10)).toBe(50);
    expect(burst(20)).toBe(50);
    expect(burst(2)).toBe(10);
    expect(burst(0)).toBe(1); // its share of a second
    expect(burst(100)).toBe(201 - 1); // a second's share is more than a burst
    expect(burst(0, 10_000, 0)).toBe(0);
  });

  it('lets no burst follow another within a window', () => {
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 10, windowMs: 10_000 });
    const retries: number[] = [];
    for (const at of [0, 3_000, 6_000, 9_000, 12_000, 30_000])
      for (let call = 0; call < 100; call++) if (budget.tryRetry(at)) retries.push(at);
    const counts = [0, 3_000, 6_000, 9_000, 12_000, 30_000].map((at) => within(retries, at, 1));
    expect(counts).toEqual([50, 20, 20, 10, expect.any(Number), 50]);
    expect(counts[4]).toBeLessThanOrEqual(50);
  });

  it('allows in any second and any quarter no more than a burst or its share, whatever comes', () => {
    fc.assert(
      fc.property(
        script,
        fc.constantFrom(0, 0.2, 1),
        fc.constantFrom(0, 3, 10, 40),
        (entries, ratio, minRetriesPerSecond) => {
          const budget = new RetryBudget('b', { ratio, minRetriesPerSecond });
          const { firsts, retries } = play(budget, entries);
          const floor = minRetriesPerSecond * 10;
          const burst = Math.max(1, Math.min(50, floor / 2));
          for (const end of retries) {
            const allowed = ratio * within(firsts, end, 10_000) + floor;
            expect(within(retries, end, 10_000)).toBeLessThanOrEqual(allowed);
            expect(within(retries, end, 2_500)).toBeLessThanOrEqual(Math.max(burst, allowed * 0.3));
            expect(within(retries, end, 1_000)).toBeLessThanOrEqual(Math.max(burst, allowed * 0.2));
          }
        },
      ),
    );
  });

  it('allows a rare retry also where a second’s share is less than one', () => {
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 0.1, windowMs: 10_000 });
    expect(budget.tryRetry(0)).toBe(true);
    expect(budget.tryRetry(5_000)).toBe(false);
    expect(budget.tryRetry(11_000)).toBe(true);
  });

  it('of nothing allows nothing', () => {
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 0 });
    for (let at = 0; at < 100; at++) budget.recordFirstAttempt(at);
    expect(budget.tryRetry(100)).toBe(false);
  });

  it('saves nothing for later than its window', () => {
    const budget = new RetryBudget('b', { ratio: 0.5, minRetriesPerSecond: 0, windowMs: 1_000 });
    for (let at = 0; at < 1_000; at += 10) budget.recordFirstAttempt(at);
    expect(budget.tryRetry(5_000)).toBe(false);
  });

  it('keeps what was spent where it is given other options', () => {
    jest.useFakeTimers({ now: 0 });
    const budget = new RetryBudget('b', { ratio: 0, minRetriesPerSecond: 1, windowMs: 10_000 });
    const spend = () => {
      let spent = 0;
      while (spent < 1_000 && budget.tryRetry(performance.now())) spent++;
      return spent;
    };
    expect(spend()).toBe(5);
    budget.change({ ratio: 0, minRetriesPerSecond: 4, windowMs: 10_000 });
    expect(budget.options).toMatchObject({ minRetriesPerSecond: 4 });
    expect(spend()).toBe(15); // half of the new floor at once, all in all
    budget.change({ ratio: 0, minRetriesPerSecond: 4, windowMs: 20_000 });
    expect(spend()).toBe(20);
    budget.change({ ratio: 0, minRetriesPerSecond: 1, windowMs: 10_000 });
    expect(spend()).toBe(0);
    jest.setSystemTime(12_000);
    jest.useRealTimers();
  });

  it('has the part of its first attempts that is of a shorter window', () => {
    jest.useFakeTimers({ now: 0 });
    const budget = new RetryBudget('b', { ratio: 1, minRetriesPerSecond: 0, windowMs: 10_000 });
    for (let call = 0; call < 100; call++) budget.recordFirstAttempt(0);
    budget.change({ ratio: 1, minRetriesPerSecond: 0, windowMs: 1_000 });
    let spent = 0;
    while (spent < 1_000 && budget.tryRetry(0)) spent++;
    expect(spent).toBeLessThanOrEqual(10);
    expect(() => budget.change({ shared: true })).toThrow(/shared/);
    expect(budget.options.windowMs).toBe(1_000);
    jest.useRealTimers();
  });
});
