import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import {
  RateLimitedError,
  type RateLimitOptions,
  RateLimitPolicy,
  ResilienceConfigurationError,
} from '../../lib/index.js';
import { rateLimitHealth } from '../../lib/rate-limit/rate-limit.health.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { type MemoryInstance, memoryInstance } from '../support/memory-instance.js';
import { elapse, failure, flush, type Watched, watch } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

/** Calls that tell when they began. */
class Calls {
  readonly began: number[] = [];
  readonly made: Watched<void>[] = [];

  constructor(readonly policy: RateLimitPolicy) {}

  make(count: number): void {
    for (let each = 0; each < count; each++)
      this.made.push(
        watch(this.policy.execute(async () => void this.began.push(performance.now()))),
      );
  }

  get reasons(): unknown[] {
    return this.made.flatMap(({ error }) => (error as RateLimitedError | undefined)?.reason ?? []);
  }
}

let events: StageEvent[];
let instances: MemoryInstance[];

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
  events = [];
  instances = [];
});
afterEach(async () => {
  const ended = instances.map(({ membership }) => membership.end());
  await elapse(1_000);
  await Promise.all(ended);
  jest.useRealTimers();
});

function rateLimit(options: RateLimitOptions): Calls {
  const host = stageHost((event) => events.push(event));
  return new Calls(new RateLimitPolicy('partner', options, host));
}

const reasonsTold = () =>
  events.flatMap((event) => (event.type === 'would-reject' ? [event.reason] : []));

describe('A rate limit that is given other options', () => {
  it('plans anew who waits, and tells the new options', async () => {
    const calls = rateLimit({ limit: 1, maxWaitMs: 10_000 });
    calls.make(5);
    await flush();
    expect(calls.began).toHaveLength(1);
    calls.policy.change({ limit: 10, maxWaitMs: 10_000 });
    await elapse(200);
    expect(calls.began).toHaveLength(3);
    expect(calls.policy.given).toEqual({ limit: 10, maxWaitMs: 10_000 });
    expect(calls.policy.options).toMatchObject({ limit: 10, burst: 10 });
    expect(calls.policy.getSnapshot()).toMatchObject({ limit: 10, queued: 2 });
    calls.policy.change({ limit: 1, intervalMs: 60_000, maxWaitMs: 10_000 });
    await flush();
    expect(calls.reasons).toEqual(['limit', 'limit']);
  });

  it('gives nobody more for it than there is, and leaves no more than the new burst', () => {
    const { policy } = rateLimit({ limit: 5 });
    policy.change({ limit: 100 });
    expect(policy.getSnapshot().available).toBe(5);
    policy.change({ limit: 2 });
    expect(policy.getSnapshot().available).toBe(2);
  });

  it('has whoever waits wait by the maxWaitMs that it came by', async () => {
    const calls = rateLimit({ limit: 1, maxWaitMs: 5_000 });
    calls.make(2);
    calls.policy.change({ limit: 1, maxWaitMs: 0 });
    calls.make(1);
    await elapse(1_000);
    expect(calls.reasons).toEqual(['limit']);
    expect(calls.began).toHaveLength(2);
    calls.policy.change({ limit: 1, maxWaitMs: 1_000 });
    calls.make(1);
    await elapse(1_000);
    expect(calls.began).toHaveLength(3);
  });

  it('goes by what was said last, by setLimit() or by another rate', () => {
    const { policy } = rateLimit({ limit: 10 });
    policy.setLimit(3);
    policy.change({ limit: 10, queueLimit: 5 });
    expect(policy.getSnapshot().limit).toBe(3);
    policy.change({ limit: 20 });
    expect(policy.getSnapshot().limit).toBe(20);
    policy.setLimit(4);
    expect(policy.getSnapshot().limit).toBe(4);
  });

  it('begins and ceases to heed what the partner answers', async () => {
    const { policy } = rateLimit({ limit: 10 });
    const answer = () => policy.execute(async () => tooMany());
    await answer();
    expect(policy.getSnapshot().pausedMs).toBe(0);
    policy.change({ limit: 10, adaptToResponses: true });
    await answer();
    expect(policy.getSnapshot().pausedMs).toBe(5_000);
    policy.change({ limit: 10 });
    await elapse(5_000);
    await answer();
    expect(policy.getSnapshot().pausedMs).toBe(0);
  });

  it('stays as it was where that is wrong, and where it would be shared from then on', async () => {
    const { policy } = rateLimit({ limit: 5 });
    expect(() => policy.change({})).toThrow(ResilienceConfigurationError);
    expect(() => policy.change({ limit: 5, shared: true })).toThrow(/shared/);
    expect(policy.given).toEqual({ limit: 5 });
  });
});

describe('A rate limit in shadow mode', () => {
  const SHADOW = { mode: 'shadow' } as const;

  it('lets all in at once, and tells which calls it would have refused, but not which would have waited', async () => {
    const calls = rateLimit({ ...SHADOW, limit: 1, maxWaitMs: 2_000, queueLimit: 10 });
    calls.make(5);
    await flush();
    expect(calls.began).toEqual([0, 0, 0, 0, 0]);
    expect(reasonsTold()).toEqual(['limit', 'limit']);
    expect(events[0]).toEqual({
      type: 'would-reject',
      stage: 'rateLimit',
      name: 'partner',
      reason: 'limit',
    });
    expect(calls.policy.getSnapshot()).toMatchObject({
      mode: 'shadow',
      available: 0,
      queued: 0,
      rejected: 0,
      wouldReject: 2,
      wouldQueue: 2,
    });
    expect(rateLimitHealth(calls.policy.getSnapshot()).status).toBe('up');
    await elapse(1_000);
    calls.make(2);
    expect(calls.policy.getSnapshot()).toMatchObject({ wouldReject: 3, wouldQueue: 3 });
  });

  it('tells where the queue would have had no place', async () => {
    const calls = rateLimit({ ...SHADOW, limit: 1, maxWaitMs: 60_000, queueLimit: 2 });
    calls.make(4);
    expect(reasonsTold()).toEqual(['queue']);
  });

  it('tells of a pause, and stops nobody by it', async () => {
    const calls = rateLimit({ ...SHADOW, limit: 10, adaptToResponses: true });
    await calls.policy.execute(async () => tooMany());
    expect(events).toEqual([
      { type: 'rate-limit-paused', rateLimit: 'partner', pauseMs: 5_000, mode: 'shadow' },
    ]);
    expect(rateLimitHealth(calls.policy.getSnapshot())).not.toHaveProperty('pausedMs');
    calls.make(1);
    await flush();
    expect(calls.began).toHaveLength(1);
    expect(reasonsTold()).toEqual(['limit']);
    calls.policy.change({ limit: 10, adaptToResponses: true });
    expect(await failure(calls.policy.execute(async () => 1))).toBeInstanceOf(RateLimitedError);
  });

  it('lets in who waits when it begins, and has those who come after it wait for what these took', async () => {
    const calls = rateLimit({ limit: 1, maxWaitMs: 10_000 });
    calls.make(4);
    calls.policy.change({ ...SHADOW, limit: 1, maxWaitMs: 10_000 });
    await flush();
    expect(calls.began).toEqual([0, 0, 0, 0]);
    expect(jest.getTimerCount()).toBe(0);
    calls.policy.change({ limit: 1, maxWaitMs: 10_000 });
    calls.make(1);
    await elapse(10_000);
    expect(calls.began.at(-1)).toBe(4_000);
  });

  it('of a shared one takes nothing from the fleet, goes by its even share, and is shared again after it', async () => {
    const hub = new MemoryFleet();
    const options = { limit: 10, shared: true, intervalMs: 10_000 };
    const make = async () => {
      const made = await memoryInstance(hub);
      instances.push(made);
      return new Calls(new RateLimitPolicy('partner', options, made.host));
    };
    const [one, other] = [await make(), await make()];
    one.policy.change({ ...options, ...SHADOW });
    one.make(20);
    await flush();
    expect(one.began).toHaveLength(20);
    expect(one.policy.getSnapshot()).toMatchObject({ wouldReject: 15 });
    for (let round = 0; round < 10; round++) {
      other.make(20);
      await elapse(100);
    }
    expect(other.began.length).toBeGreaterThanOrEqual(10);
    one.policy.change(options);
    await elapse(100);
    for (let round = 0; round < 5; round++) {
      one.make(20);
      await elapse(100);
    }
    // Whoever is new to the others lets in its even share before it is charged.
    expect(one.began.length - 20).toBeLessThanOrEqual(5);
    for (const { policy } of [one, other]) policy.dispose();
  });

  it('loses no token and nobody who waits, and lets no more begin than by the greater rate while it acts', async () => {
    const options = fc.record(
      {
        limit: fc.integer({ min: 1, max: 20 }),
        intervalMs: fc.constantFrom(200, 1_000),
        burst: fc.integer({ min: 1, max: 10 }),
        maxWaitMs: fc.constantFrom(0, 100, 2_000),
        queueLimit: fc.nat(10),
      },
      { requiredKeys: ['limit'] },
    );
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ calls: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 5, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 300 }) }) },
      { weight: 2, arbitrary: fc.record({ options }) },
      { weight: 1, arbitrary: fc.record({ setLimit: fc.integer({ min: 1, max: 20 }) }) },
      { weight: 1, arbitrary: fc.record({ isShadow: fc.boolean() }) },
    );
    await fc.assert(
      fc.asyncProperty(
        options,
        fc.array(step, { minLength: 20, maxLength: 80 }),
        fc.boolean(),
        async (first, steps, switches) => {
          const calls = rateLimit(first);
          let said: RateLimitOptions = first;
          const rates: { perMs: number; burst: number }[] = [];
          const note = () => {
            const { limit, intervalMs } = calls.policy.getSnapshot();
            const burst = Math.max(limit, calls.policy.options.burst);
            rates.push({ perMs: limit / intervalMs, burst });
          };
          note();
          for (const each of steps) {
            if ('ms' in each) await elapse(each.ms);
            else if ('calls' in each) calls.make(each.calls);
            else if ('setLimit' in each) calls.policy.setLimit(each.setLimit);
            else if ('options' in each) {
              said = each.options;
              calls.policy.change(said);
            } else if (switches) {
              calls.policy.change(each.isShadow ? { ...said, ...SHADOW } : said);
              await flush();
              if (each.isShadow) expect(calls.policy.getSnapshot().queued).toBe(0);
            }
            await flush();
            note();
          }
          calls.policy.change(said);
          await elapse(120_000);
          expect(jest.getTimerCount()).toBe(0);
          expect(calls.made.some(({ state }) => state === 'pending')).toBe(false);
          calls.policy.change({ limit: 3, burst: 7 });
          await elapse(120_000);
          expect(calls.policy.getSnapshot().available).toBe(7);
          if (switches) return;
          const perMs = Math.max(...rates.map((rate) => rate.perMs));
          const burst = Math.max(...rates.map((rate) => rate.burst));
          for (const from of calls.began.keys())
            for (let to = from; to < calls.began.length; to++) {
              const ms = (calls.began[to] as number) - (calls.began[from] as number);
              expect(to - from + 1).toBeLessThanOrEqual(ms * perMs + burst + 1e-6);
            }
        },
      ),
      { numRuns: 80 },
    );
  });
});

function tooMany(): object {
  return { status: 429, headers: { 'retry-after': '5' } };
}
