import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TokenBucket } from '../../lib/rate-limit/token-bucket.js';

/** Something that was let in, and may have been given back. */
interface Taken {
  readonly at: number;
  readonly weight: number;
  readonly receipt: number;
  isBack: boolean;
}

type Step =
  | { type: 'take'; weight: number }
  | { type: 'back'; pick: number }
  | { type: 'elapse'; ms: number }
  | { type: 'change'; limit: number; burst: number }
  | { type: 'pause'; ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('take' as const),
      weight: fc.constantFrom(1, 1, 2, 0.5),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('back' as const), pick: fc.nat(50) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('elapse' as const),
      ms: fc.integer({ min: 1, max: 400 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('change' as const),
      limit: fc.integer({ min: 1, max: 20 }),
      burst: fc.integer({ min: 1, max: 10 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('pause' as const),
      ms: fc.integer({ min: 1, max: 500 }),
    }),
  },
);

/** Takes these steps, and tells what was let in, and which limit was in force since when. */
function take(steps: readonly Step[], limit: number, burst: number) {
  const bucket = new TokenBucket(limit, 1_000, burst);
  const all: Taken[] = [];
  const limits = [{ at: 0, limit, burst }];
  const pauses: { from: number; until: number }[] = [];
  let at = 0;
  for (const each of steps) {
    if (each.type === 'elapse') at += each.ms;
    else if (each.type === 'change') {
      bucket.change({ ...each, intervalMs: 1_000 }, at);
      limits.push({ at, ...each });
    } else if (each.type === 'pause') {
      bucket.pause(at + each.ms, at);
      pauses.push({ from: at, until: at + each.ms });
    } else if (each.type === 'take') {
      if (bucket.take(each.weight, at))
        all.push({ at, weight: each.weight, receipt: bucket.receipt, isBack: false });
    } else {
      const out = all.filter(({ isBack }) => !isBack);
      const taken = out[each.pick % Math.max(1, out.length)];
      if (taken === undefined) continue;
      taken.isBack = true;
      bucket.giveBack(taken.weight, taken.receipt, at);
    }
  }
  return { bucket, all, limits, pauses, at };
}

describe('A token bucket', () => {
  it('lets in no more than its rate and a burst in any time, whatever is given back, changed and paused', () => {
    let most = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { minLength: 20, maxLength: 200 }),
        fc.boolean(),
        (limit, burst, steps, staysAsItIs) => {
          const kept = staysAsItIs
            ? steps.filter(({ type }) => type !== 'change' && type !== 'pause')
            : steps;
          const { all, limits } = take(kept, limit, burst);
          const used = all.filter(({ isBack }) => !isBack);
          const largest = Math.max(...limits.map((each) => each.burst));
          used.forEach((first, from) => {
            let sum = 0;
            for (const last of used.slice(from)) {
              sum += last.weight;
              const filled = limits.reduce((total, each, index) => {
                const until = Math.min(limits[index + 1]?.at ?? Number.POSITIVE_INFINITY, last.at);
                const ms = Math.max(0, until - Math.max(each.at, first.at));
                return total + (ms * each.limit) / 1_000;
              }, 0);
              most = Math.max(most, sum / (filled + largest));
              expect(sum).toBeLessThanOrEqual(filled + largest + 1e-3);
            }
          });
        },
      ),
      { numRuns: 300 },
    );
    expect(most).toBeGreaterThan(0.95); // it is the bound, not something far below
  });

  it('lets nobody in while it is paused, and one when that is over', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { minLength: 20, maxLength: 100 }),
        (limit, burst, steps) => {
          const { all, pauses, bucket, at } = take(steps, limit, burst);
          for (const { from, until } of pauses) {
            const during = all.filter((each) => each.at >= from && each.at < until);
            expect(during.filter((each) => each.at > from)).toEqual([]);
          }
          bucket.pause(at + 100_000, at);
          expect(bucket.pausedMs(at)).toBe(100_000);
          expect(bucket.available(at + 99_999)).toBe(0);
          expect(bucket.available(at + 100_000)).toBe(1);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('tells exactly how long it takes until there are so many', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(step, { maxLength: 50 }),
        fc.double({ min: 0.1, max: 1, noNaN: true }),
        (limit, burst, steps, share) => {
          const { bucket, at, limits } = take(steps, limit, burst);
          const weight = Math.max(0.01, share * (limits.at(-1) as { burst: number }).burst);
          const waitMs = bucket.waitMs(weight, at);
          if (waitMs > 0.01) expect(bucket.take(weight, at + waitMs - 0.01)).toBe(false);
          expect(bucket.take(weight, at + waitMs + 0.01)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('has back all that was taken last, and nothing of what has filled up since', () => {
    const bucket = new TokenBucket(10, 1_000, 5);
    const receipts = [1, 2, 3].map(() => (bucket.take(1, 0) ? bucket.receipt : Number.NaN));
    expect(bucket.available(0)).toBe(2);
    bucket.giveBack(1, receipts[2] as number, 0);
    bucket.giveBack(1, receipts[1] as number, 0);
    expect(bucket.available(0)).toBe(4);
    expect(bucket.take(4, 0)).toBe(true);
    bucket.giveBack(1, receipts[0] as number, 90); // as much as is not there again already
    expect(bucket.available(109)).toBe(1);
    bucket.giveBack(4, bucket.receipt, 10_000);
    expect(bucket.available(10_000)).toBe(5);
  });

  it('follows who looks at the clock before others, and asks after them', () => {
    const bucket = new TokenBucket(10, 1_000, 1);
    expect(bucket.take(1, 50)).toBe(true);
    expect(bucket.take(1, 40)).toBe(false);
    expect(bucket.take(1, 149)).toBe(false);
    expect(bucket.take(1, 150)).toBe(true);
  });

  it('lets who waits by a late timer have what came in meanwhile, of a single token less than another', () => {
    const bucket = new TokenBucket(100, 1_000, 1);
    let at = 0;
    expect(bucket.take(1, at)).toBe(true);
    for (let turn = 1; turn <= 100; turn++) {
      at = turn * 10 + (turn % 2); // every other one is late by a ms
      expect(bucket.waitMs(1, at - 1.5)).toBeGreaterThan(0);
      expect(bucket.takeLate(at)).toBe(true);
    }
    expect(bucket.takeLate(at + 5)).toBe(false);
    expect(bucket.takeLate(at + 1_000)).toBe(true);
    expect(bucket.takeLate(at + 1_000)).toBe(false);
  });
});
