import { afterEach, describe, expect, it } from '@jest/globals';
import { randomStream } from '../simulation/random.js';
import { Laboratory, lognormal, type Outcome, pareto, type World } from './laboratory.js';

let laboratory: Laboratory | undefined;
afterEach(async () => {
  await laboratory?.close();
  laboratory = undefined;
});

async function adviceAfter(world: World, timeoutMs?: number) {
  laboratory = await Laboratory.open();
  const options = timeoutMs === undefined ? {} : { timeoutMs };
  await laboratory.run({ name: 'client', ...options }, world);
  return laboratory.advice('client', 'timeout.attemptMs');
}

/** The shortest timeout that cuts one in 200 of those that answer, found by trying one after the other. */
function searched(draw: World['draw']): number {
  const random = randomStream(99, 'search');
  const answers = Array.from({ length: 100_000 }, () => draw(random, 0).ms).filter(Number.isFinite);
  let cut = answers.sort((one, other) => one - other).length;
  for (let timeoutMs = 1; ; timeoutMs *= 1.005) {
    while ((answers.at(-cut) as number) <= timeoutMs) cut--;
    if (cut <= answers.length / 200) return timeoutMs;
  }
}

const slow = lognormal(50, 0.5);
const tail = pareto(20, 2.5);
const WORLDS: [string, World['draw']][] = [
  ['a lognormal distribution', (random) => ({ ms: slow(random) })],
  ['the tail of a power law', (random) => ({ ms: tail(random) })],
  [
    'two kinds of answers, and some that never come',
    (random): Outcome => {
      const kind = random();
      if (kind < 0.02) return { ms: Number.POSITIVE_INFINITY };
      return { ms: kind < 0.1 ? 400 + 50 * random() : slow(random) };
    },
  ],
];

describe('The timeout that the advisor proposes', () => {
  it.each(WORLDS)('is within 10 % of the best that a search finds, for %s', async (_, draw) => {
    const advice = await adviceAfter({ rate: 200, seconds: 100, draw }, 5_000);
    const best = searched(draw);
    expect(Number(advice?.proposed) / best).toBeGreaterThan(0.9);
    expect(Number(advice?.proposed) / best).toBeLessThan(1.1);
  });
});
