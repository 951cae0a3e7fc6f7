import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RateLimitOptions } from '../../lib/rate-limit/rate-limit.options.js';
import { RateLimitPolicy } from '../../lib/rate-limit/rate-limit.policy.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { type MemoryInstance, memoryInstance } from '../support/memory-instance.js';
import { elapse, flush, watch } from '../support/resilience-app.js';

let hub: MemoryFleet;
let asked: number;
let all: MemoryInstance[];

beforeEach(() => {
  jest.useFakeTimers();
  hub = new MemoryFleet();
  asked = 0;
  all = [];
  const { store } = hub.boards.tokens;
  const lease = store.lease.bind(store);
  store.lease = (...args) => {
    asked++;
    return lease(...args);
  };
});
afterEach(async () => {
  hub.isHolding = false;
  const ended = all.map(({ membership }) => membership.end());
  await elapse(1_000);
  await Promise.all(ended);
  jest.useRealTimers();
});

async function instances(count: number): Promise<MemoryInstance[]> {
  const made: MemoryInstance[] = [];
  for (let each = 0; each < count; each++) made.push(await memoryInstance(hub));
  all.push(...made);
  return made;
}

function shared({ host }: MemoryInstance, options: RateLimitOptions): RateLimitPolicy {
  return new RateLimitPolicy('partner', { shared: true, ...options }, host);
}

/** Makes calls at once. @returns how many were let in */
async function letIn(policy: RateLimitPolicy, calls: number): Promise<number> {
  const made = Array.from({ length: calls }, () => watch(policy.execute(async () => 1)));
  await flush();
  return made.filter(({ state }) => state === 'fulfilled').length;
}

describe('A shared rate limit', () => {
  it('lets all instances together begin no more than one would', async () => {
    const [one, other] = (await instances(2)).map((each) =>
      shared(each, { limit: 100, burst: 10 }),
    ) as [RateLimitPolicy, RateLimitPolicy];
    let begun = 0;
    for (let ms = 0; ms < 2_000; ms += 5) {
      begun += await letIn(one, 1);
      begun += await letIn(other, 1);
      await elapse(5);
    }
    expect(begun).toBeLessThanOrEqual(210);
    expect(begun).toBeGreaterThanOrEqual(194);
  });

  it('asks once for many calls where they are many', async () => {
    const policies = (await instances(5)).map((each) => shared(each, { limit: 625, burst: 62 }));
    let begun = 0;
    for (let ms = 0; ms < 6_000; ms += 10) {
      if (ms === 1_000) {
        begun = 0;
        asked = 0;
      }
      for (const policy of policies) begun += await letIn(policy, 1);
      await elapse(10);
    }
    expect(begun).toBe(2_500);
    expect(asked / begun).toBeLessThanOrEqual(0.1);
  });

  it('lets a call begin at once where nothing is known yet, and charges it afterwards', async () => {
    const [one, other] = await instances(2);
    hub.isHolding = true;
    const policy = shared(one as MemoryInstance, { limit: 10, intervalMs: 60_000, burst: 1 });
    expect(await letIn(policy, 2)).toBe(1);
    await hub.deliverAll();
    const late = shared(other as MemoryInstance, { limit: 10, intervalMs: 60_000, burst: 1 });
    expect(await letIn(late, 1)).toBe(1); // it has not heard yet that the bucket is empty
    await hub.deliverAll();
    expect(await letIn(late, 1)).toBe(0);
    await elapse(5_000);
    await hub.deliverAll();
    expect(await letIn(policy, 1)).toBe(0);
    expect(await letIn(late, 1)).toBe(0);
  });

  it('is asked call by call where calls are few, and not at all where there are none', async () => {
    const [one] = await instances(1);
    const policy = shared(one as MemoryInstance, { limit: 100 });
    for (let call = 0; call < 10; call++) {
      expect(await letIn(policy, 1)).toBe(1);
      await elapse(1_500);
    }
    expect(asked).toBe(10);
    await elapse(60_000);
    expect(asked).toBe(10);
  });

  it('gives back what it has taken ahead and does not need', async () => {
    const [one] = await instances(1);
    const policy = shared(one as MemoryInstance, { limit: 100, intervalMs: 10_000, burst: 100 });
    let begun = 0;
    for (let ms = 0; ms < 1_000; ms += 20) {
      begun += await letIn(policy, 1);
      await elapse(20);
    }
    expect(policy.getSnapshot().leased).toBeGreaterThan(0);
    await elapse(1_000);
    expect(policy.getSnapshot().leased).toBe(0);
    const { left } = hub.boards.tokens.store.lease(
      'partner',
      { limit: 100, intervalMs: 10_000, burst: 100 },
      { balance: 0, wanted: 0, atLeast: 0 },
      hub.now(),
    );
    expect(left).toBe(100 - begun + 20);
  });

  it('gives back what it has taken ahead when its application ends, and when it is forgotten', async () => {
    const made = await instances(2);
    const rate = { limit: 300, intervalMs: 1_000, burst: 300 };
    const policies = made.map((each) => shared(each, rate));
    let begun = 0;
    for (let ms = 0; ms < 600; ms += 10) {
      for (const policy of policies) begun += await letIn(policy, 1);
      await elapse(10);
    }
    const ahead = policies.reduce((sum, each) => sum + (each.getSnapshot().leased ?? 0), 0);
    expect(ahead).toBeGreaterThan(0);
    await made[0]?.membership.end();
    policies[1]?.dispose();
    await flush();
    const nothing = { balance: 0, wanted: 0, atLeast: 0 };
    const { left } = hub.boards.tokens.store.lease('partner', rate, nothing, hub.now());
    expect(left).toBe(300);
    expect(begun).toBe(120);
  });

  it('owes no more than it has let in meanwhile where a pause took from it what was on its way back', async () => {
    const [instance, other] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    const policy = shared(instance, { limit: 200 });
    for (let ms = 0; ms < 1_000; ms += 10) {
      await letIn(policy, 1);
      await elapse(10);
    }
    const balances: number[] = [];
    const { store } = hub.boards.tokens;
    const lease = store.lease.bind(store);
    store.lease = (...args) => {
      balances.push(args[2].balance);
      return lease(...args);
    };
    instance.link.slowMs = 30;
    while (policy.getSnapshot().leased !== 3) {
      await letIn(policy, 1);
      await elapse(1);
    }
    void other.link.tokens.pause('partner', { limit: 200, intervalMs: 1_000, burst: 200 }, 500);
    await elapse(2_000);
    expect(balances.filter((balance) => balance < 0)).toEqual([-1]); // one was let in after the question
  });

  it('waits for its turn where it may, also for what others have', async () => {
    const [one, other] = (await instances(2)).map((each) =>
      shared(each, { limit: 10, burst: 1, maxWaitMs: 1_000 }),
    ) as [RateLimitPolicy, RateLimitPolicy];
    const calls: ReturnType<typeof watch>[] = [];
    const beganAt: number[] = [];
    for (const policy of [one, other, one, other])
      calls.push(watch(policy.execute(async () => void beganAt.push(performance.now()))));
    await elapse(900);
    expect(calls.map(({ state }) => state)).toEqual(Array(4).fill('fulfilled'));
  });

  it('stops all instances by what one of them is told', async () => {
    const options = { limit: 1_000, adaptToResponses: true };
    const [one, other] = (await instances(2)).map((each) => shared(each, options)) as [
      RateLimitPolicy,
      RateLimitPolicy,
    ];
    const busy = Object.assign(new Error('busy'), { status: 429, headers: { 'retry-after': '2' } });
    await watch(one.execute(() => Promise.reject(busy)));
    await flush();
    expect(other.getSnapshot()).toMatchObject({ pausedMs: 2_000, available: 0 });
    expect(await letIn(other, 3)).toBe(0);
    await elapse(2_001);
    let begun = await letIn(one, 1);
    begun += await letIn(other, 1);
    await elapse(1);
    begun += await letIn(one, 1);
    begun += await letIn(other, 1);
    expect(begun).toBeLessThanOrEqual(3); // one, and what has come in since
    await elapse(100);
    expect(await letIn(other, 1)).toBe(1);
  });

  it('has its even share of the limit while the others are not heard of, and all of them after', async () => {
    const made = await instances(4);
    const policies = made.map((each) => shared(each, { limit: 100, burst: 20 }));
    for (const { link } of made) link.cut();
    let begun = 0;
    for (let ms = 0; ms < 2_000; ms += 10) {
      for (const policy of policies) begun += await letIn(policy, 1);
      await elapse(10);
    }
    expect(begun).toBeLessThanOrEqual(220);
    expect(begun).toBeGreaterThanOrEqual(200);
    for (const { link } of made) await link.mend();
    const [first] = policies as [RateLimitPolicy];
    await elapse(1_000);
    begun = 0;
    for (let ms = 0; ms < 2_000; ms += 10) {
      begun += await letIn(first, 1);
      await elapse(10);
    }
    expect(begun).toBeGreaterThanOrEqual(190);
  });

  it('goes on by its share where it is not answered', async () => {
    const [one] = await instances(2);
    const policy = shared(one as MemoryInstance, { limit: 100, burst: 20 });
    expect(await letIn(policy, 1)).toBe(1);
    hub.isHolding = true;
    await letIn(policy, 10);
    await elapse(300);
    expect(await letIn(policy, 5)).toBeGreaterThan(2);
    hub.parcels.length = 0;
    hub.isHolding = false;
    await elapse(1_000);
    expect(await letIn(policy, 10)).toBe(10);
  });

  it('takes a call that counts for much out of the bucket of all', async () => {
    const weight = (count: number) => count;
    const [one, other] = (await instances(2)).map((each) =>
      shared(each, {
        limit: 10,
        burst: 10,
        intervalMs: 10_000,
        weight: (() => 5) as typeof weight,
      }),
    ) as [RateLimitPolicy, RateLimitPolicy];
    expect(await letIn(one, 1)).toBe(1);
    expect(await letIn(other, 1)).toBe(1);
    expect(await letIn(other, 1)).toBe(0);
    expect(await letIn(one, 1)).toBe(1); // which has not heard of the other's yet
    for (let ms = 0; ms < 9_000; ms += 100) {
      await elapse(100);
      expect((await letIn(one, 1)) + (await letIn(other, 1))).toBe(0);
    }
    await elapse(1_000);
    expect((await letIn(one, 1)) + (await letIn(other, 1))).toBe(1);
  });

  it('warns where instances have other options by one name', async () => {
    const [one, other] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    await letIn(shared(one, { limit: 10 }), 1);
    await letIn(shared(other, { limit: 20 }), 1);
    expect(one.warnings).toEqual([]);
    expect(other.warnings.join()).toContain('20 in 1000 ms with a burst of 20 in this instance');
  });

  it('is refused where there is no fleet', () => {
    expect(() => new RateLimitPolicy('partner', { limit: 1, shared: true })).toThrow(
      'rate limit "partner".shared: is true, and there is no fleet to share with',
    );
  });

  it.each([
    {
      title: 'even demand of 80 %',
      limit: 500,
      demands: [80, 80, 80, 80, 80],
      least: 0.99,
      asks: 0.13,
    },
    { title: 'skewed demand', limit: 500, demands: [300, 60, 20, 10, 10], least: 0.97, asks: 0.13 },
    { title: 'one that is hungry', limit: 500, demands: [700, 1, 1, 1, 1], least: 0.97, asks: 0.1 },
    {
      title: 'too much demand',
      limit: 500,
      demands: [150, 150, 150, 150, 150],
      least: 0.97,
      asks: 0.13,
    },
  ])('loses nearly nothing of a limit with $title', async ({ limit, demands, least, asks }) => {
    const made = await instances(demands.length);
    const policies = made.map((each) => shared(each, { limit, burst: limit / 10 }));
    for (const { link } of made) link.slowMs = 1;
    const alone = new RateLimitPolicy('alone', { limit, burst: limit / 10 });
    const beganAt: number[] = [];
    let begunAlone = 0;
    const debts = demands.map((_, pod) => pod / demands.length);
    for (let ms = 0; ms < 4_000; ms++) {
      for (const [pod, policy] of policies.entries()) {
        debts[pod] = (debts[pod] as number) + (demands[pod] as number) / 1_000;
        while ((debts[pod] as number) >= 1) {
          debts[pod] = (debts[pod] as number) - 1;
          watch(policy.execute(async () => void beganAt.push(ms)));
          watch(alone.execute(async () => void begunAlone++));
        }
      }
      await flush();
      await elapse(1);
    }
    expect(beganAt.length).toBeGreaterThanOrEqual(least * begunAlone);
    expect(asked).toBeLessThanOrEqual(asks * beganAt.length);
    for (const from of beganAt) {
      const inSecond = beganAt.filter((at) => at >= from && at < from + 1_000).length;
      expect(inSecond).toBeLessThanOrEqual(1.1 * limit);
    }
  });
});
