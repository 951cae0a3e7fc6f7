import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exponential, randomStream } from '../simulation/random.js';
import { arrivals, Laboratory, type World } from './laboratory.js';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory.close());

const fast: World['draw'] = () => ({ ms: 10 });

/** The fewest slots with which one in a thousand calls finds none, by trying each. */
function searchedSlots(world: World): number {
  const longest: World = { ...world, seconds: 5 * world.seconds };
  const times = arrivals(longest, randomStream(77, 'search'));
  const random = randomStream(77, 'durations');
  const ends = times.map((at) => at + world.draw(random, at, 1).ms);
  for (let slots = 1; ; slots++) {
    const running: number[] = [];
    let blocked = 0;
    times.forEach((at, call) => {
      for (let slot = running.length - 1; slot >= 0; slot--)
        if ((running[slot] as number) <= at) running.splice(slot, 1);
      if (running.length >= slots) blocked++;
      else running.push(ends[call] as number);
    });
    if (blocked <= times.length / 1_000) return slots;
  }
}

describe('The bulkhead that the advisor proposes', () => {
  it('is within 10 % of the best that a search finds, whether the one in force is too large or too small', async () => {
    const world: World = {
      rate: 60,
      seconds: 120,
      draw: (random) => ({ ms: exponential(random, 250) }),
    };
    const best = searchedSlots(world);
    for (const maxConcurrent of [20, 400]) {
      const name = `with ${maxConcurrent} slots`;
      await laboratory.run({ name, bulkhead: { maxConcurrent } }, world);
      const { current, proposed } = laboratory.advice(name, 'bulkhead.maxConcurrent') ?? {};
      expect(current).toBe(maxConcurrent);
      expect(Math.abs(Number(proposed) - best) / best).toBeLessThan(0.1);
    }
  });

  it('is that of the busiest minute', async () => {
    const world: World = {
      rate: (second) => (second >= 120 && second < 180 ? 60 : 10),
      seconds: 240,
      draw: (random) => ({ ms: exponential(random, 250) }),
    };
    const best = searchedSlots({ ...world, rate: 60, seconds: 60 });
    await laboratory.run({ name: 'rushed', bulkhead: { maxConcurrent: 12 } }, world);
    const { proposed } = laboratory.advice('rushed', 'bulkhead.maxConcurrent') ?? {};
    expect(Math.abs(Number(proposed) - best) / best).toBeLessThan(0.1);
  });
});

describe('The thresholds of a circuit breaker that the advisor proposes', () => {
  it('keep one from opening by a number of failures that is nothing among so many calls', async () => {
    const world: World = {
      rate: 50,
      seconds: 200,
      draw: (random) => ({ ms: 10, failed: random() < 0.02 }),
    };
    const before = await laboratory.run({ name: 'busy', circuitBreaker: {} }, world);
    expect(before.lost).toBeGreaterThan(1_000);
    const advice = laboratory.advice('busy', 'circuitBreaker.failureRateThreshold');
    expect(advice?.figures).toMatchObject({ openings: 0, lost: 0 });
    const circuitBreaker = { failureRateThreshold: Number(advice?.proposed) };
    const after = await laboratory.run({ name: 'busy later', circuitBreaker }, world);
    expect(after).toMatchObject({ saved: 0, lost: 0 });
  });

  it('open it in an outage that it slept through', async () => {
    const world: World = {
      rate: 20,
      seconds: 200,
      draw: (random, atMs) => ({ ms: 10, failed: atMs > 100_000 && random() < 0.95 }),
    };
    const circuitBreaker = { failureRateThreshold: 99, timeoutMs: 10_000 };
    const before = await laboratory.run({ name: 'asleep', circuitBreaker }, world);
    expect(before.saved).toBe(0);
    const advice = laboratory.advice('asleep', 'circuitBreaker.failureRateThreshold');
    expect(advice?.figures.saved).toBeGreaterThan(1_000);
    expect(advice?.proposed).toBeLessThan(99);
  });
});

describe('What the advisor says of retries', () => {
  const failing = (share: number, again: number): World => ({
    rate: 50,
    seconds: 100,
    draw: (random, _at, attempt) => ({
      ms: 10,
      failed: random() < (attempt === 1 ? share : again),
    }),
  });
  const retry = { maxAttempts: 3, baseDelayMs: 10, budget: false } as const;

  it('is to leave out those that save nothing', async () => {
    await laboratory.run({ name: 'hopeless', retry }, failing(0.05, 1));
    const advice = laboratory.advice('hopeless', 'retry.maxAttempts');
    expect(advice).toMatchObject({ current: 3, proposed: 1 });
    expect(advice?.figures).toMatchObject({ savedCalls: 0 });
  });

  it('is to make one more where the last one mostly helps', async () => {
    const twice = { ...retry, maxAttempts: 2 };
    await laboratory.run({ name: 'helped', retry: twice }, failing(0.1, 0.3));
    expect(laboratory.advice('helped', 'retry.maxAttempts')).toMatchObject({ proposed: 3 });
  });

  it('is nothing where they are as good as they get', async () => {
    await laboratory.run({ name: 'good', retry }, failing(0.05, 0.1));
    expect(laboratory.advice('good', 'retry.maxAttempts')).toBeUndefined();
  });

  it('is to give more budget where that holds back what would help', async () => {
    const budget = { ratio: 0.02, minRetriesPerSecond: 0 };
    await laboratory.run({ name: 'poor', retry: { ...retry, budget } }, failing(0.2, 0.1));
    const advice = laboratory.advice('poor', 'retry.budget.ratio');
    expect(advice?.current).toBe(0.02);
    expect(advice?.proposed).toBeGreaterThanOrEqual(0.2);
  });
});

describe('What the advisor says of', () => {
  it('a fallback that fails each time is to leave it', async () => {
    const fallback = () => Promise.reject(new Error('cache is down'));
    const world: World = { rate: 10, seconds: 20, draw: () => ({ ms: 10, failed: true }) };
    await laboratory.run({ name: 'with a fallback', fallback }, world);
    expect(laboratory.advice('with a fallback', 'fallback.enabled')).toMatchObject({
      current: true,
      proposed: false,
    });
  });

  it('a fallback that is asked for nothing is to look at its condition', async () => {
    const fallback = { handler: () => undefined, when: () => false };
    const world: World = { rate: 10, seconds: 20, draw: () => ({ ms: 10, failed: true }) };
    await laboratory.run({ name: 'with an idle fallback', fallback }, world);
    const advice = laboratory.advice('with an idle fallback', 'fallback.enabled');
    expect(advice).toMatchObject({ proposed: undefined, overrides: {} });
    expect(advice?.because).toContain('when');
  });

  it('a total time that its attempts do not fit into is how long they need', async () => {
    const world: World = { rate: 10, seconds: 60, draw: () => ({ ms: 90, failed: true }) };
    const options = {
      timeoutMs: 100,
      totalTimeoutMs: 150,
      retry: { maxAttempts: 3, delayMs: [50], budget: false },
    } as const;
    await laboratory.run({ name: 'hurried', ...options }, world);
    const advice = laboratory.advice('hurried', 'timeout.totalMs');
    expect(advice).toMatchObject({ current: 150, proposed: 400 });
  });

  it('an operation that is called too seldom is nothing', async () => {
    const world: World = { rate: 1, seconds: 30, draw: () => ({ ms: 10, failed: true }) };
    const options = {
      retry: { budget: false },
      circuitBreaker: { failureRateThreshold: 100 },
      bulkhead: {},
      fallback: () => Promise.reject(new Error('down')),
    } as const;
    await laboratory.run({ name: 'seldom', ...options }, world);
    const { operations } = laboratory.advisor.report();
    expect(operations.map(({ operation }) => operation)).not.toContain('seldom');
  });

  it('all of them can be followed at once, after which there is nothing left of it', async () => {
    const { overrides, operations } = laboratory.advisor.report();
    expect(operations.length).toBeGreaterThan(5);
    laboratory.resilience.reconfigure(overrides);
    const again = laboratory.advisor.report();
    const proposed = again.operations.flatMap(({ advice }) =>
      advice.filter((each) => Object.keys(each.overrides).length > 0).map(({ option }) => option),
    );
    expect(proposed).toEqual([]);
    await laboratory.run({ name: 'afterwards' }, { rate: 1, seconds: 1, draw: fast });
  });
});
