import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomStream } from '../simulation/random.js';
import { Laboratory, lognormal, type Outcome, pareto, type World } from './laboratory.js';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory.close());

let operations = 0;

async function adviceAfter(world: World, timeoutMs?: number) {
  const name = `client ${++operations}`;
  await laboratory.run(timeoutMs === undefined ? { name } : { name, timeoutMs }, world);
  return laboratory.advice(name, 'timeout.attemptMs');
}

/** The shortest timeout that cuts one in 200 of those that answer, found by trying one after the other. */
function searched(draw: World['draw']): number {
  const random = randomStream(99, 'search');
  const answers = Array.from({ length: 100_000 }, () => draw(random, 0, 1).ms).filter(
    Number.isFinite,
  );
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

  it('errs to the longer side where little is known, and is silent where too little is', async () => {
    const draw: World['draw'] = (random) => ({ ms: slow(random) });
    expect(await adviceAfter({ rate: 5, seconds: 100, draw })).toBeUndefined();
    const advice = await adviceAfter({ rate: 8, seconds: 100, draw });
    expect(advice?.current).toBeUndefined();
    expect(advice?.proposed).toBeGreaterThan(searched(draw));
  });

  it('is longer where many are cut, and does not take what was cut for fast', async () => {
    const draw: World['draw'] = (random) => ({ ms: slow(random) });
    const advice = await adviceAfter({ rate: 100, seconds: 60, draw }, 60);
    expect(advice).toMatchObject({ current: 60, proposed: 120 });
    expect(advice?.figures.cutShare).toBeGreaterThan(0.2);
    expect(advice?.because).toContain('cut');
  });

  it('is left alone where it is good, also where some hang for ever', async () => {
    const draw: World['draw'] = (random) => ({
      ms: random() < 0.05 ? Number.POSITIVE_INFINITY : slow(random),
    });
    expect(
      await adviceAfter({ rate: 100, seconds: 60, draw }, searched(draw) * 1.2),
    ).toBeUndefined();
  });
});
