import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Laboratory, lognormal, type World } from './laboratory.js';

let laboratory: Laboratory;
beforeAll(async () => {
  laboratory = await Laboratory.open();
});
afterAll(() => laboratory.close());

const slow = lognormal(50, 0.5);
const fast = lognormal(20, 0.3);
/** A world, the timeout in it at first, and the best for its healthy answers. */
const FOLLOWED: [string, World['draw'], number, number][] = [
  ['where all is well', (random) => ({ ms: slow(random) }), 600, 181],
  ['where some hang', (random) => ({ ms: random() < 0.05 ? 1e9 : slow(random) }), 600, 181],
  [
    'where a few answers are of another kind',
    (random) => ({ ms: random() < 0.1 ? 400 + 50 * random() : fast(random) }),
    200,
    43,
  ],
  [
    'amid an outage in which answers take two seconds',
    (random, at) => ({ ms: at > 20_000 && at < 60_000 ? 2_000 : fast(random) }),
    600,
    43,
  ],
  [
    'amid one that hardly ends',
    (random, at) => ({ ms: at > 10_000 ? 2_000 : fast(random) }),
    600,
    43,
  ],
];

describe('The timeout that is advised', () => {
  it.each(FOLLOWED)(
    'comes to rest where it is followed again and again, %s, and is never shorter than healthy answers need',
    async (world, draw, first, bestMs) => {
      const inForce = [first];
      for (let round = 0; round < 4; round++) {
        const timeoutMs = inForce[0] as number;
        const name = `a client for whom ${timeoutMs} ms are in force in round ${round}, ${world}`;
        await laboratory.run({ name, timeoutMs }, { rate: 100, seconds: 100, draw });
        const advice = laboratory.advice(name, 'timeout.attemptMs');
        inForce.unshift((advice?.proposed as number | undefined) ?? timeoutMs);
      }
      expect(Math.min(...inForce)).toBeGreaterThan(bestMs * 0.98); // as exactly as sketches know it
      expect(new Set(inForce.slice(0, 3)).size).toBe(1);
    },
  );
});
