import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { RateLimitPolicy } from '../../lib/rate-limit/rate-limit.policy.js';
import { MemoryFleet } from './memory-fleet.js';
import { type MemoryInstance, memoryInstance } from './memory-instance.js';
import { elapse, flush, watch } from './resilience-app.js';

const LEASE_MS = 100;

const pod = fc.nat(3);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ pod, calls: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 6, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 2, arbitrary: fc.record({ pod, slowMs: fc.constantFrom(0, 1, 20, 200) }) },
  { weight: 1, arbitrary: fc.record({ pod, doubles: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, loses: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, crashes: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, part: fc.constantFrom(0.2, 0.5, 1) }) },
);
const trouble = fc.oneof(
  { weight: 5, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ pod, cuts: fc.boolean() }) },
);

async function play(
  steps: readonly (typeof trouble extends fc.Arbitrary<infer Step> ? Step : never)[],
  limit: number,
  burst: number,
  count: number,
  maxWaitMs: number,
) {
  const hub = new MemoryFleet();
  const pods: MemoryInstance[] = [];
  for (let each = 0; each < count; each++) pods.push(await memoryInstance(hub));
  const options = { limit, burst, maxWaitMs, shared: true };
  const policies = pods.map(({ host }) => new RateLimitPolicy('partner', options, host));
  const gone = new Set<number>();
  const began: number[] = [];
  const calls: ReturnType<typeof watch>[] = [];
  const call = (at: number) => {
    const policy = policies[at] as RateLimitPolicy;
    const begin = async () => void began.push(performance.now());
    if (!gone.has(at)) calls.push(watch(policy.execute(begin)));
  };
  for (const each of steps) {
    if ('ms' in each) {
      await elapse(each.ms);
    } else {
      const at = each.pod % count;
      const { link } = pods[at] as (typeof pods)[number];
      if ('slowMs' in each) link.slowMs = each.slowMs;
      else if ('part' in each) {
        const [fewer, less] = [limit, burst].map((of) => Math.max(1, Math.floor(of * each.part)));
        policies[at]?.change({ ...options, limit: fewer as number, burst: less as number });
      } else if ('cuts' in each) {
        if (each.cuts) link.cut();
        else if (!gone.has(at)) void link.mend();
      } else if ('crashes' in each) {
        if (gone.size < count - 1) {
          gone.add(at);
          link.crash();
        }
      } else if ('calls' in each) {
        for (let made = 0; made < each.calls; made++) call(at);
      } else {
        hub.isHolding = true;
        call(at);
        await flush();
        if ('doubles' in each) hub.double();
        else hub.lose();
        hub.isHolding = false;
        while (hub.parcels.length > 0) hub.deliver();
      }
    }
    await flush();
  }
  await elapse(10_000);
  for (const policy of policies) policy.dispose();
  jest.clearAllTimers();
  return { began, calls };
}

/** In no interval has more begun than that. */
function expectBound(began: readonly number[], limit: number, most: number) {
  for (const [first, from] of began.entries())
    for (let last = first; last < began.length; last++) {
      const ms = (began[last] as number) - from + 2 * LEASE_MS;
      expect(last - first + 1).toBeLessThanOrEqual((limit * ms) / 1_000 + most + 1e-6);
    }
}

/** All together let in the limit, a burst, and what they have taken ahead. */
function expectOneLimit(numRuns: number): Promise<void> {
  return fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(0, 500),
      fc.array(step, { minLength: 10, maxLength: 60 }),
      async (limit, burst, count, maxWaitMs, steps) => {
        const { began, calls } = await play(steps, limit, burst, count, maxWaitMs);
        expect(calls.some(({ state }) => state === 'pending')).toBe(false);
        expectBound(began, limit, burst + Math.max(burst, count));
      },
    ),
    { numRuns },
  );
}

/** Where instances lose each other, no more than the limit and a burst once again. */
function expectLimitOnceAgain(numRuns: number): Promise<void> {
  return fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 2, max: 4 }),
      fc.array(trouble, { minLength: 10, maxLength: 60 }),
      async (limit, burst, count, steps) => {
        const { began } = await play(steps, limit, burst, count, 0);
        // Those that are cut off and those that are not go by the limit, each for itself.
        expectBound(began, 2 * limit, burst + 2 * Math.max(burst, count));
      },
    ),
    { numRuns },
  );
}

/**
 * What holds for rate limits that instances share.
 *
 * @param runs so many histories
 * @param timeoutMs so long it may look for a shorter example where one fails
 */
export function describeSharedRateLimits(what: string, runs: number, timeoutMs: number): void {
  describe(what, () => {
    beforeEach(() => {
      jest.useFakeTimers({ now: 0 });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it(
      'lets no more begin in any time than its share of the limit, a burst, and what was let in ahead',
      () => expectOneLimit(runs),
      timeoutMs,
    );

    it(
      'lets no more than once again a burst begin beside where instances lose each other',
      () => expectLimitOnceAgain(runs),
      timeoutMs,
    );
  });
}
