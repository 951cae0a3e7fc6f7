import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Laboratory, lognormal, type Tally, type World } from './laboratory.js';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory.close());

/** An outage, a brown-out, and now and then an error. */
const troubled: World = {
  rate: 20,
  seconds: 300,
  draw: (random, atMs) => {
    const isOut = atMs > 60_000 && atMs < 120_000;
    const isBrown = atMs > 180_000 && atMs < 240_000;
    return { ms: 10, failed: random() < (isOut ? 0.95 : isBrown ? 0.3 : 0.02) };
  },
};
const worth = ({ saved, lost }: Tally) => saved - 3 * lost;

describe('A search over the simulation', () => {
  it('finds no thresholds that are worth 10 % more than those that are proposed by what was seen in shadow mode', async () => {
    const options = { timeoutMs: 5_000, failureRateThreshold: 99, minimumCalls: 100 };
    const circuitBreaker = { ...options, mode: 'shadow' } as const;
    await laboratory.run({ name: 'in shadow', circuitBreaker }, troubled);
    const advice = laboratory.advice('in shadow', 'circuitBreaker.failureRateThreshold');
    const change = advice?.overrides.operations?.['in shadow']?.circuitBreaker ?? {};
    const proposed = await laboratory.run(
      { name: 'as proposed', circuitBreaker: { ...options, ...(change as object) } },
      troubled,
    );
    let best = 0;
    for (const failureRateThreshold of [20, 40, 60, 80, 95])
      for (const minimumCalls of [10, 40, 100]) {
        const name = `at ${failureRateThreshold} of ${minimumCalls}`;
        const tried = { ...options, failureRateThreshold, minimumCalls };
        best = Math.max(
          best,
          worth(await laboratory.run({ name, circuitBreaker: tried }, troubled)),
        );
      }
    expect(best).toBeGreaterThan(500);
    expect(worth(proposed)).toBeGreaterThan(0.9 * best);
  });

  it('finds no better timeout by 10 % where the load has shifted in the hour', async () => {
    const [calm, busy] = [lognormal(50, 0.4), lognormal(150, 0.4)];
    const seen: number[] = [];
    const world: World = {
      rate: 100,
      seconds: 300,
      draw: (random, atMs) => {
        const ms = (atMs < 200_000 ? calm : busy)(random);
        seen.push(ms);
        return { ms };
      },
    };
    await laboratory.run({ name: 'shifted' }, world);
    seen.sort((one, other) => one - other);
    const best = seen[Math.ceil(0.995 * seen.length) - 1] as number;
    const { proposed } = laboratory.advice('shifted', 'timeout.attemptMs') ?? {};
    expect(Number(proposed) / best).toBeGreaterThan(0.9);
    expect(Number(proposed) / best).toBeLessThan(1.1);
  });
});
