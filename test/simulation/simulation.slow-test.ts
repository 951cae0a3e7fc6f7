import { describe, expect, it } from '@jest/globals';
import { sum } from './books.js';
import type { Scenario } from './scenario.js';
import { SCENARIOS } from './scenarios.js';
import { type Result, simulate } from './simulation.js';
import { article } from './strategies/article.js';
import { bulwark, keyless } from './strategies/bulwark.js';
import { backoffAlone, naiveRetries, noRetries } from './strategies/plain.js';
import type { Strategy } from './strategy.js';

/** A small world with the proportions of the large one, which is fast enough for a test. */
const SMALL = {
  tiers: [
    {
      processes: 4,
      timeoutMs: 1_000,
      budgetMs: undefined,
      maxConcurrent: 4,
      queueLimit: 20,
      windowMs: 1_000,
      minRetriesPerSecond: 1,
    },
  ],
  leaf: { servers: 8, meanMs: 100, shape: 4 },
  criticalShare: 1,
  fault: 'hang',
  load: { calm: 0.7, storm: 0.7 },
} as const;

const HANG: Scenario = {
  ...SMALL,
  id: 'small-hang',
  title: 'The leaf hangs for 12 s',
  storm: { fromMs: 5_000, untilMs: 17_000 },
  untilMs: 40_000,
};

describe('the simulation', () => {
  it.each([bulwark, naiveRetries, article])(
    'gives byte for byte the same for the same seed: $id',
    async (strategy) => {
      const short = { ...HANG, storm: { fromMs: 2_000, untilMs: 5_000 }, untilMs: 12_000 };
      const told = async (seed: number) => {
        const { seconds, measures } = await simulate(short, strategy, seed);
        return JSON.stringify({ seconds, measures });
      };
      const first = await told(7);
      expect(await told(7)).toBe(first);
      expect(await told(8)).not.toBe(first);
    },
  );

  it.each(SCENARIOS.map((scenario) => ({ ...scenario, storm: { fromMs: 1_000, untilMs: 3_000 } })))(
    'accounts for every request exactly once: $id',
    async (scenario) => {
      const short = { ...scenario, untilMs: 10_000 };
      for (const strategy of [bulwark, noRetries]) {
        const { seconds, measures } = await simulate(short, strategy, 1);
        const { offered, answered, failed, gone } = measures.requests;
        expect(offered).toBeGreaterThan(500);
        expect(answered + failed + gone).toBe(offered);
        for (const second of seconds) {
          expect(second.answered + second.failed + second.gone).toBe(second.offered);
          expect(second.criticalAnswered).toBeLessThanOrEqual(second.criticalOffered);
        }
      }
    },
  );

  it('gives all strategies the same customers', async () => {
    const short = { ...HANG, storm: { fromMs: 2_000, untilMs: 4_000 }, untilMs: 10_000 };
    const arrivals = async (strategy: Strategy) =>
      (await simulate(short, strategy, 3)).seconds.map(({ offered }) => offered);
    expect(await arrivals(bulwark)).toEqual(await arrivals(naiveRetries));
  });

  it('leaves the process on its real clock', async () => {
    const { random } = Math;
    const { setTimeout: timer } = globalThis;
    await simulate({ ...HANG, untilMs: 10_000 }, noRetries, 1);
    expect(Math.random).toBe(random);
    expect(setTimeout).toBe(timer);
  });
});

describe('when the leaf has hung for 12 s', () => {
  const run = (strategy: Strategy): Promise<Result> => simulate(HANG, strategy, 1);

  it('this library is back within 5 s, and has not added to the load', async () => {
    const { measures, seconds } = await run(bulwark);
    expect(measures.backAfterMs).toBeLessThanOrEqual(5_000);
    expect(measures.amplification).toBeLessThan(1.3);
    const before = seconds.slice(0, 4);
    expect(sum(before, 'answered')).toBeGreaterThan(0.99 * sum(before, 'offered'));
  });

  it.each([naiveRetries, backoffAlone])(
    '$id never comes back, at four times the load',
    async (strategy) => {
      const { measures, seconds } = await run(strategy);
      expect(measures.backAfterMs).toBeUndefined();
      expect(measures.amplification).toBeGreaterThan(3.5);
      expect(sum(seconds.slice(-15), 'answered')).toBe(0);
    },
  );
});

describe('at twice the load that the leaf can take', () => {
  const OVERLOAD: Scenario = {
    ...SMALL,
    id: 'small-overload',
    title: 'Twice the capacity; 30 % of the calls are critical',
    criticalShare: 0.3,
    fault: 'none',
    load: { calm: 0.7, storm: 2 },
    storm: { fromMs: 5_000, untilMs: 15_000 },
    untilMs: 20_000,
  };
  const CHAIN: Scenario = {
    ...OVERLOAD,
    id: 'small-chain',
    title: 'Two tiers with 300 ms at the edge',
    tiers: [
      { ...SMALL.tiers[0], budgetMs: 300, timeoutMs: 300, maxConcurrent: 50, queueLimit: 100 },
      { ...SMALL.tiers[0], timeoutMs: 300, maxConcurrent: 2 },
    ],
    leaf: { servers: 8, meanMs: 40, shape: 4 },
    criticalShare: 1,
  };

  it('critical calls succeed, and the leaf is busy with what somebody waits for', async () => {
    const { measures } = await simulate(OVERLOAD, bulwark, 1);
    expect(measures.criticalInStorm).toBeGreaterThanOrEqual(0.99);
    expect(measures.goodputInStorm).toBeGreaterThanOrEqual(0.9);
    const { measures: plain } = await simulate(OVERLOAD, article, 1);
    expect(plain.criticalInStorm).toBeLessThan(0.6);
  });

  it('deadlines keep a chain from working in vain', async () => {
    const { measures } = await simulate(CHAIN, bulwark, 1);
    expect(measures.goodputInStorm).toBeGreaterThanOrEqual(0.8);
    expect(measures.begunUnwanted).toBeLessThanOrEqual(0.01);
    const { measures: plain } = await simulate(CHAIN, article, 1);
    expect(plain.goodputInStorm).toBeLessThan(0.5);
  });
});

describe('at twice the quota of a partner, who refuses everything for a second once that is used up', () => {
  const QUOTA: Scenario = {
    ...SMALL,
    id: 'small-quota',
    title: 'A partner allows 40 calls a second',
    tiers: [{ ...SMALL.tiers[0], callsPerSecond: 10 }],
    leaf: { servers: 20, meanMs: 100, shape: 4 },
    quota: { perSecond: 40, penaltyMs: 1_000 },
    fault: 'none',
    load: { calm: 0.7, storm: 2 },
    storm: { fromMs: 5_000, untilMs: 15_000 },
    untilMs: 20_000,
  };

  it('a rate limit uses the quota, and hardly a call is refused', async () => {
    const { measures } = await simulate(QUOTA, bulwark, 1);
    expect(measures.goodputInStorm).toBeGreaterThanOrEqual(0.98);
    expect(measures.overQuota).toBeLessThanOrEqual(0.001);
  });

  it.each([noRetries, backoffAlone])('$id has a third of its calls refused', async (strategy) => {
    const { measures } = await simulate(QUOTA, strategy, 1);
    expect(measures.overQuota).toBeGreaterThan(0.3);
  });
});

describe('while one of 100 tenants is sick', () => {
  const TENANTS: Scenario = {
    ...SMALL,
    id: 'small-tenants',
    title: 'One of 100 tenants is sick',
    tenants: { count: 100, sickShare: 0.3 },
    fault: 'sick tenant',
    storm: { fromMs: 5_000, untilMs: 15_000 },
    untilMs: 20_000,
  };

  it('the other 99 lose nothing, where each has its own', async () => {
    const { measures } = await simulate(TENANTS, bulwark, 1);
    expect(measures.wellInStorm).toBeGreaterThanOrEqual(0.999);
    expect(measures.backAfterMs).toBeLessThanOrEqual(3_000);
  });

  it.each([keyless, article])('they lose by it with $id', async (strategy) => {
    const { measures } = await simulate(TENANTS, strategy, 1);
    expect(measures.wellInStorm).toBeLessThan(0.99);
  });
});

describe('while half of the answers are 503', () => {
  it('more is served than without retries, within the budget', async () => {
    const brownOut: Scenario = { ...HANG, id: 'small-brown-out', fault: 'brown-out' };
    const { measures } = await simulate(brownOut, bulwark, 1);
    const { measures: plain } = await simulate(brownOut, noRetries, 1);
    expect(measures.servedInStorm).toBeGreaterThan(plain.servedInStorm);
    expect(measures.amplification).toBeLessThan(1.2 + 0.1);
  });
});
