import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { bulkheadHealth } from '../../lib/bulkhead/bulkhead.health.js';
import { BulkheadPolicy, ResilienceConfigurationError } from '../../lib/index.js';
import type { StageEvent } from '../../lib/stage/stage-host.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { type MemoryInstance, memoryInstance } from '../support/memory-instance.js';
import { Deferred, elapse, flush, type Watched, watch } from '../support/resilience-app.js';
import { stageHost } from '../support/stage-host.js';

/** Calls that run until they are ended. */
class Calls {
  readonly running: Deferred<number>[] = [];
  readonly made: Watched<number>[] = [];
  /** So many ran at a time at most, since that was last set. */
  most = 0;

  constructor(readonly policy: BulkheadPolicy) {}

  make(count: number): void {
    for (let each = 0; each < count; each++)
      this.made.push(
        watch(
          this.policy.execute(() => {
            const work = new Deferred<number>();
            this.running.push(work);
            this.most = Math.max(this.most, this.running.length);
            return work.promise;
          }),
        ),
      );
  }

  async end(count: number): Promise<void> {
    for (const work of this.running.splice(0, count)) work.resolve(1);
    await flush();
  }

  get reasons(): unknown[] {
    return this.made.flatMap(({ state, error }) =>
      state === 'rejected' ? [(error as { reason: unknown }).reason] : [],
    );
  }
}

let events: StageEvent[];
let instances: MemoryInstance[];

beforeEach(() => {
  jest.useFakeTimers();
  events = [];
  instances = [];
});
afterEach(async () => {
  const ended = instances.map(({ membership }) => membership.end());
  await elapse(1_000);
  await Promise.all(ended);
  jest.useRealTimers();
});

function bulkhead(options: ConstructorParameters<typeof BulkheadPolicy>[1]): Calls {
  const host = stageHost((event) => events.push(event));
  return new Calls(new BulkheadPolicy('ledger', options, host));
}

async function instance(hub: MemoryFleet): Promise<MemoryInstance> {
  const made = await memoryInstance(hub);
  instances.push(made);
  return made;
}

const reasonsTold = () =>
  events.flatMap((event) => (event.type === 'would-reject' ? [event.reason] : []));

describe('A bulkhead that is given other options', () => {
  it('lets those who wait begin at once where more may run, and tells the new options', async () => {
    const calls = bulkhead({ maxConcurrent: 1 });
    calls.make(5);
    calls.policy.change({ maxConcurrent: 4 });
    await flush();
    expect(calls.running).toHaveLength(4);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 4, queued: 1, maxConcurrent: 4 });
    expect(calls.policy.given).toEqual({ maxConcurrent: 4 });
    expect(calls.policy.options).toMatchObject({ maxConcurrent: 4, queueLimit: 100 });
  });

  it('cuts nobody where fewer may run, and lets none begin until there is room', async () => {
    const calls = bulkhead({ maxConcurrent: 4 });
    calls.make(6);
    calls.policy.change({ maxConcurrent: 2 });
    await calls.end(2);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 2, queued: 2 });
    await calls.end(1);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 2, queued: 1 });
    await calls.end(10);
    await calls.end(10);
    expect(calls.made.every(({ state }) => state === 'fulfilled')).toBe(true);
  });

  it('has whoever waits wait by the queueTimeoutMs and the queueLimit that it came by', async () => {
    const calls = bulkhead({ maxConcurrent: 1, queueTimeoutMs: 1_000 });
    calls.make(3);
    calls.policy.change({ maxConcurrent: 1, queueTimeoutMs: 100, queueLimit: 3 });
    calls.make(2);
    await flush();
    expect(calls.reasons).toEqual(['full']);
    await elapse(100);
    expect(calls.reasons).toEqual(['queue-timeout', 'full']);
    calls.policy.change({ maxConcurrent: 1 });
    calls.make(1);
    await elapse(900);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 1, queued: 1 });
    await elapse(60_000);
    await calls.end(1);
    await calls.end(1);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    expect(calls.made.at(-1)?.state).toBe('fulfilled');
  });

  it('begins to find its limit out with what was allowed before, keeps it within other bounds, and ends it', () => {
    const { policy } = bulkhead({ maxConcurrent: 50 });
    policy.change({ adaptive: true, maxConcurrent: 80 });
    expect(policy.getSnapshot().maxConcurrent).toBe(50);
    policy.change({ adaptive: true, maxConcurrent: 30 });
    expect(policy.getSnapshot().maxConcurrent).toBe(30);
    policy.change({ adaptive: true, maxConcurrent: 80, minConcurrent: 40 });
    expect(policy.getSnapshot().maxConcurrent).toBe(40);
    policy.change({ maxConcurrent: 5 });
    expect(policy.getSnapshot().maxConcurrent).toBe(5);
  });

  it('stays as it was where that is wrong', () => {
    const { policy } = bulkhead({ maxConcurrent: 5 });
    expect(() => policy.change({ maxConcurrent: 0 })).toThrow(ResilienceConfigurationError);
    expect(() => policy.change({ minConcurrent: 2 })).toThrow(ResilienceConfigurationError);
    expect(policy.options).toMatchObject({ maxConcurrent: 5 });
  });

  it('is not shared from one moment to the next, nor for itself', async () => {
    const hub = new MemoryFleet();
    const { host } = await instance(hub);
    const policy = new BulkheadPolicy('ledger', { maxConcurrent: 5 }, host);
    expect(() => policy.change({ maxConcurrent: 5, shared: true })).toThrow(/shared/);
    expect(policy.given).toEqual({ maxConcurrent: 5 });
  });
});

describe('A shared bulkhead that is given other options', () => {
  async function two(maxConcurrent: number): Promise<[Calls, Calls]> {
    const hub = new MemoryFleet();
    const make = async () => {
      const { host } = await instance(hub);
      return new Calls(new BulkheadPolicy('ledger', { maxConcurrent, shared: true }, host));
    };
    return [await make(), await make()];
  }

  it('has more slots from the fleet for those who wait, and gives back what is too much', async () => {
    const [one, other] = await two(4);
    for (const each of [one, other]) each.make(8);
    await elapse(5_000);
    expect(one.running.length + other.running.length).toBe(4);
    for (const each of [one, other]) each.policy.change({ maxConcurrent: 10, shared: true });
    await elapse(5_000);
    expect(one.running.length + other.running.length).toBe(10);
    for (const each of [one, other]) each.policy.change({ maxConcurrent: 2, shared: true });
    await elapse(5_000);
    expect(one.running.length + other.running.length).toBe(10);
    for (let round = 0; round < 20; round++) {
      for (const each of [one, other]) await each.end(1);
      await elapse(1_000);
    }
    expect([...one.made, ...other.made].every(({ state }) => state === 'fulfilled')).toBe(true);
    one.most = 0;
    other.most = 0;
    for (const each of [one, other]) each.make(5);
    await elapse(5_000);
    expect(one.most + other.most).toBe(2);
  });

  it('takes nothing from the fleet in shadow mode, and goes by the slots of all again after it', async () => {
    const [one, other] = await two(4);
    one.make(8);
    await elapse(5_000);
    one.policy.change({ maxConcurrent: 4, shared: true, mode: 'shadow' });
    await flush();
    expect(one.running).toHaveLength(8);
    await one.end(8);
    await elapse(10_000);
    one.make(3);
    other.make(8);
    await elapse(5_000);
    expect([one.running.length, other.running.length]).toEqual([3, 4]);
    expect(one.policy.getSnapshot()).toMatchObject({ mode: 'shadow', wouldQueue: 1 });
    one.policy.change({ maxConcurrent: 4, shared: true });
    await one.end(3);
    one.make(1);
    for (let round = 0; round < 3; round++) {
      await other.end(1);
      await elapse(2_000);
    }
    expect(one.running).toHaveLength(1);
    expect(other.running.length).toBeLessThanOrEqual(3);
  });
});

describe('A bulkhead in shadow mode', () => {
  const SHADOW = { mode: 'shadow' } as const;

  it('lets all in at once, and tells which calls would have found no room', async () => {
    const calls = bulkhead({ ...SHADOW, maxConcurrent: 2, queueLimit: 1 });
    calls.make(5);
    await flush();
    expect(calls.running).toHaveLength(5);
    expect(reasonsTold()).toEqual(['full', 'full']);
    expect(events[0]).toEqual({
      type: 'would-reject',
      stage: 'bulkhead',
      name: 'ledger',
      reason: 'full',
    });
    expect(calls.policy.getSnapshot()).toEqual({
      name: 'ledger',
      mode: 'shadow',
      running: 5,
      queued: 0,
      maxConcurrent: 2,
      queueLimit: 1,
      rejected: 0,
      wouldReject: 2,
      wouldQueue: 1,
    });
    expect(bulkheadHealth(calls.policy.getSnapshot()).status).toBe('up');
    await calls.end(1); // who would wait would have its slot
    calls.make(1);
    await flush();
    expect(calls.policy.getSnapshot()).toMatchObject({ wouldReject: 2, wouldQueue: 2 });
    await calls.end(10);
    calls.make(2);
    expect(calls.policy.getSnapshot()).toMatchObject({ wouldReject: 2, wouldQueue: 2 });
  });

  it('tells who would have waited too long, when the next call comes', async () => {
    const calls = bulkhead({ ...SHADOW, maxConcurrent: 1, queueTimeoutMs: 100 });
    calls.make(2);
    await elapse(101);
    calls.make(1);
    await flush();
    expect(reasonsTold()).toEqual(['queue-timeout']);
    expect(calls.running).toHaveLength(3);
  });

  it('lets in whoever waits when it begins, and lets nobody begin after it until there is room', async () => {
    const calls = bulkhead({ maxConcurrent: 1, queueTimeoutMs: 100, queueLimit: 500 });
    calls.make(500);
    calls.policy.change({ ...SHADOW, maxConcurrent: 1 });
    await flush();
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 500, queued: 0, rejected: 0 });
    calls.policy.change({ maxConcurrent: 1 });
    calls.make(1);
    await calls.end(499);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 1, queued: 1 });
    await calls.end(1);
    expect(calls.policy.getSnapshot()).toMatchObject({ running: 1, queued: 0 });
    await calls.end(1);
    expect(calls.made.every(({ state }) => state === 'fulfilled')).toBe(true);
  });

  it('has calls inside others have their slots, in thought', async () => {
    const { policy } = bulkhead({ ...SHADOW, maxConcurrent: 1, queueLimit: 0 });
    expect(await policy.execute(() => policy.execute(async () => 'inside'))).toBe('inside');
    expect(reasonsTold()).toEqual([]);
    expect(policy.getSnapshot()).toMatchObject({ running: 0, wouldReject: 0 });
  });

  it('loses no slot and nobody who waits, however it is changed and whenever calls end', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ calls: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 5, arbitrary: fc.record({ ends: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 2, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 80 }) }) },
      {
        weight: 3,
        arbitrary: fc.record({
          options: fc.record(
            {
              mode: fc.constantFrom('enforce' as const, 'shadow' as const),
              maxConcurrent: fc.integer({ min: 1, max: 8 }),
              queueLimit: fc.nat(6),
              queueTimeoutMs: fc.integer({ min: 1, max: 100 }),
              adaptive: fc.boolean(),
            },
            { requiredKeys: ['maxConcurrent'] },
          ),
        }),
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const calls = bulkhead({ maxConcurrent: 2 });
        for (const each of steps) {
          const { running, queued, maxConcurrent, mode } = calls.policy.getSnapshot();
          expect(running).toBe(calls.running.length);
          if (mode === 'shadow') expect(queued).toBe(0);
          else if (queued > 0) expect(running).toBeGreaterThanOrEqual(maxConcurrent);
          if ('options' in each) calls.policy.change(each.options);
          else if ('ms' in each) await elapse(each.ms);
          else if ('ends' in each) await calls.end(each.ends);
          else {
            calls.most = 0;
            calls.make(each.calls);
            await flush();
            if (mode === undefined)
              expect(calls.most).toBeLessThanOrEqual(Math.max(running, maxConcurrent));
          }
          await flush();
        }
        while (calls.running.length > 0) await calls.end(10);
        expect(calls.policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
        expect(calls.made.some(({ state }) => state === 'pending')).toBe(false);
        calls.policy.change({ maxConcurrent: 3 });
        calls.make(5);
        await flush();
        expect(calls.running).toHaveLength(3);
        await calls.end(3);
        await calls.end(3);
        await elapse(100);
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
