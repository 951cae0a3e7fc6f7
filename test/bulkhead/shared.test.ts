import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { BulkheadOptions } from '../../lib/bulkhead/bulkhead.options.js';
import { BulkheadPolicy } from '../../lib/bulkhead/bulkhead.policy.js';
import { nodeSetImmediate } from '../../lib/common/next-turn.js';
import { Turn } from '../../lib/common/turn.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { type MemoryInstance, memoryInstance } from '../support/memory-instance.js';
import { Deferred, elapse, flush, watch } from '../support/resilience-app.js';

const LEASE_MS = 3_000;

let hub: MemoryFleet;
let asked: number;
let all: MemoryInstance[];

beforeEach(() => {
  jest.useFakeTimers();
  hub = new MemoryFleet();
  asked = 0;
  all = [];
  const { store } = hub.boards.slots;
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

function shared({ host }: MemoryInstance, options: BulkheadOptions): BulkheadPolicy {
  return new BulkheadPolicy('ledger', { shared: true, ...options }, host);
}

/** Calls that run until they are ended. */
class Calls {
  readonly running = new Set<Deferred<number>>();
  readonly made: ReturnType<typeof watch>[] = [];

  constructor(readonly policy: BulkheadPolicy) {}

  make(count: number): void {
    for (let each = 0; each < count; each++)
      this.made.push(
        watch(
          this.policy.execute(() => {
            const work = new Deferred<number>();
            this.running.add(work);
            return work.promise;
          }),
        ),
      );
  }

  end(count: number): void {
    for (const work of [...this.running].slice(0, count)) {
      this.running.delete(work);
      work.resolve(1);
    }
  }
}

async function some(count: number, options: BulkheadOptions): Promise<Calls[]> {
  return (await instances(count)).map((each) => new Calls(shared(each, options)));
}

const sum = (calls: readonly Calls[]) =>
  calls.reduce((total, { running }) => total + running.size, 0);

describe('A shared bulkhead', () => {
  it('lets all instances together run no more than one would', async () => {
    const calls = await some(3, { maxConcurrent: 10 });
    for (const each of calls) each.make(8);
    await elapse(5_000);
    expect(sum(calls)).toBe(10);
    for (const { running } of calls) expect(running.size).toBeGreaterThanOrEqual(1);
  });

  it('gives who has more to do what the others do not need, and takes it back as its calls end', async () => {
    const [one, other] = (await some(2, { maxConcurrent: 10 })) as [Calls, Calls];
    one.make(20);
    await elapse(3_000);
    expect(one.running.size).toBeGreaterThanOrEqual(8);
    other.make(20);
    await elapse(3_000);
    expect(one.running.size + other.running.size).toBeLessThanOrEqual(10);
    for (let each = 0; each < 10; each++) {
      one.end(1);
      await elapse(500);
      expect(one.running.size + other.running.size).toBeLessThanOrEqual(10);
    }
    expect(one.running.size).toBe(5);
    expect(other.running.size).toBe(5);
  });

  it('has the slots of one that is gone back within one and a half leases', async () => {
    const [one, other] = (await some(2, { maxConcurrent: 10 })) as [Calls, Calls];
    one.make(20);
    other.make(20);
    await elapse(2_000);
    expect(other.running.size).toBeLessThan(10);
    all[0]?.link.crash();
    await elapse(1.5 * LEASE_MS);
    expect(other.running.size).toBe(10);
  });

  it('has the slots of one that ends back at once', async () => {
    const [one, other] = (await some(2, { maxConcurrent: 10 })) as [Calls, Calls];
    one.make(5);
    other.make(20);
    await elapse(2_000);
    one.end(5);
    await flush();
    await all[0]?.membership.end();
    await flush();
    expect(other.running.size).toBe(10);
  });

  it('goes by what it was given for the first of its calls where the answer for the others comes late', async () => {
    const calls = (await some(2, { maxConcurrent: 10 })) as [Calls, Calls];
    const [late, other] = calls;
    await elapse(60_000);
    other.make(8);
    await elapse(2_000);
    Object.assign(all[0]?.link ?? {}, { slowMs: 40 });
    late.make(6);
    await elapse(300);
    expect(late.running.size).toBeGreaterThanOrEqual(1);
    expect(sum(calls)).toBeLessThanOrEqual(10);
  });

  it('lets the first call of an instance that had none for long begin as soon as it is answered', async () => {
    const [one] = (await some(1, { maxConcurrent: 10, queueLimit: 0 })) as [Calls];
    await elapse(60_000);
    const before = asked;
    await elapse(60_000);
    expect(asked).toBe(before);
    expect(one.policy.getSnapshot()).toMatchObject({ maxConcurrent: 10, leased: 0 });
    one.make(2);
    await flush();
    expect(one.running.size).toBe(2);
  });

  it('lets it begin by its even share where there is no answer soon', async () => {
    const [one] = (await some(2, { maxConcurrent: 10, queueLimit: 1 })) as [Calls];
    await elapse(60_000);
    hub.isHolding = true;
    one.make(8);
    await flush();
    expect(one.running.size).toBe(0);
    await elapse(100);
    expect(one.running.size).toBe(5);
    expect(one.policy.getSnapshot()).toMatchObject({ queued: 1, rejected: 2 });
  });

  it('goes on by its even share where the others are not heard of, and with them again after', async () => {
    const [one, other] = (await some(2, { maxConcurrent: 10 })) as [Calls, Calls];
    one.make(20);
    await elapse(2_000);
    const had = one.running.size;
    expect(had).toBeGreaterThan(5);
    for (const { link } of all) link.cut();
    await elapse(1_000);
    one.end(1);
    await elapse(1);
    expect(one.running.size).toBe(had);
    await elapse(2 * LEASE_MS);
    one.end(5);
    await elapse(1);
    expect(one.running.size).toBe(5);
    other.make(20);
    await elapse(1);
    expect(other.running.size).toBe(5);
    for (const { link } of all) await link.mend();
    await elapse(3_000);
    for (let each = 0; each < 10; each++) {
      one.end(1);
      other.end(1);
      await elapse(500);
    }
    expect(sum([one, other])).toBeLessThanOrEqual(10);
    expect(sum([one, other])).toBeGreaterThanOrEqual(9);
  });

  it('lets no call wait where it hears of the others again, or the store has forgotten all', async () => {
    const [one] = (await some(2, { maxConcurrent: 10 })) as [Calls];
    const [{ link, membership }] = all as [MemoryInstance];
    const callsAtOnce = async () => {
      hub.isHolding = true;
      one.make(1);
      await flush();
      expect(one.running.size).toBe(1);
      one.end(1);
      hub.isHolding = false;
    };
    one.make(1);
    await flush();
    one.end(1);
    await elapse(1_000);
    void membership.sync();
    await callsAtOnce();
    link.cut();
    await elapse(2 * LEASE_MS);
    await callsAtOnce();
    void link.mend();
    await callsAtOnce();
  });

  it('lets no more run than there are slots where the store has forgotten who has them', async () => {
    const calls = await some(3, { maxConcurrent: 6 });
    for (const each of calls) each.make(20);
    await elapse(5_000);
    expect(sum(calls)).toBe(6);
    hub.boards.slots.clear();
    for (let ms = 0; ms < 6_000; ms += 100) {
      for (const each of calls) each.end(1);
      await elapse(100);
      expect(sum(calls)).toBeLessThanOrEqual(6);
      for (const each of calls) each.make(1);
    }
    expect(sum(calls)).toBeGreaterThanOrEqual(5);
  });

  it('lets calls go on where instances that began alone hear of each other for the first time', async () => {
    const made = await instances(3);
    for (const { link } of made) {
      link.cut();
      link.instances = 1; // they have not heard of each other yet
    }
    const calls = made.map((each) => new Calls(shared(each, { maxConcurrent: 9 })));
    const callsInTurn = async () => {
      for (const each of calls) {
        each.make(1);
        await flush();
        expect(each.running.size).toBe(1);
        each.end(1);
        await elapse(50);
      }
    };
    await callsInTurn();
    for (const { link } of made) await link.mend();
    for (let round = 0; round < 20; round++) await callsInTurn();
  });

  it('lets one run at least where it does not hear of more instances than there are slots', async () => {
    const calls = await some(3, { maxConcurrent: 2 });
    for (const { link } of all) link.cut();
    await elapse(2 * LEASE_MS);
    for (const each of calls) each.make(2);
    await elapse(1);
    expect(calls.map(({ running }) => running.size)).toEqual([1, 1, 1]);
  });

  it('goes by its even share, at least one, where all answers come too late, as where there are none', async () => {
    const [one, other] = (await some(2, { maxConcurrent: 1 })) as [Calls, Calls];
    one.make(1);
    await flush();
    expect(one.running.size).toBe(1);
    (all[1] as MemoryInstance).link.slowMs = 200;
    other.make(1);
    await elapse(LEASE_MS);
    expect(other.running.size).toBe(0);
    await elapse(LEASE_MS);
    expect(sum([one, other])).toBe(2);
    (all[1] as MemoryInstance).link.slowMs = 0;
    await elapse(LEASE_MS);
    for (const each of [one, other]) {
      each.make(1);
      each.end(1);
    }
    await elapse(LEASE_MS);
    expect(sum([one, other])).toBe(1);
  });

  it('lets each have its turn where there are more instances than slots', async () => {
    const calls = await some(4, { maxConcurrent: 2 });
    const ran = new Set<Calls>();
    for (const each of calls) each.make(100);
    for (let ms = 0; ms < 40_000; ms += 100) {
      expect(sum(calls)).toBeLessThanOrEqual(2);
      for (const each of calls) {
        if (each.running.size > 0) ran.add(each);
        each.end(2);
      }
      await elapse(100);
    }
    expect(ran.size).toBe(4);
  });

  it('asks rarely, and uses nearly all slots', async () => {
    const policies = (await instances(5)).map((each) => shared(each, { maxConcurrent: 20 }));
    for (const { link } of all) link.slowMs = 1;
    let running = 0;
    let peak = 0;
    let done = 0;
    const work = async () => {
      running++;
      peak = Math.max(peak, running);
      await new Promise((resolve) => setTimeout(resolve, 50));
      running--;
      done++;
    };
    for (let ms = 0; ms < 10_000; ms++) {
      if (ms === 2_000) {
        done = 0;
        asked = 0;
      }
      if (ms % 25 === 0)
        for (const policy of policies)
          for (let each = 0; each < 3; each++) watch(policy.execute(work));
      await elapse(1);
    }
    expect(peak).toBeLessThanOrEqual(20);
    expect(done).toBeGreaterThanOrEqual(0.95 * 8 * 400);
    expect(asked).toBeLessThanOrEqual(0.1 * done);
    await elapse(10_000);
  });

  it('finds the slot of a call around another', async () => {
    const [one] = (await some(1, { maxConcurrent: 1 })) as [Calls];
    const nested = watch(one.policy.execute(() => one.policy.execute(async () => 'inside')));
    await elapse(10);
    expect(nested.value).toBe('inside');
  });

  it('lets in all at once who come after a time without calls, as far as nobody else has the slots', async () => {
    const [one] = (await some(1, { maxConcurrent: 10, queueLimit: 0 })) as [Calls];
    await elapse(20_000);
    one.make(12);
    await flush();
    expect(one.running.size).toBe(10);
    expect(one.made.filter(({ error }) => error !== undefined)).toHaveLength(2);
  });

  it('sends nobody away who gets a slot in the next turn of the event loop', async () => {
    const [one] = (await some(1, { maxConcurrent: 10, queueLimit: 0 })) as [Calls];
    await elapse(20_000);
    const isUsedUp = jest.spyOn(Turn.prototype, 'isUsedUp');
    isUsedUp.mockReturnValueOnce(false).mockReturnValueOnce(true);
    one.make(5);
    await flush();
    isUsedUp.mockRestore();
    await new Promise<void>((resolve) => nodeSetImmediate(resolve));
    await flush();
    expect(one.made.map(({ error }) => error)).toEqual(Array(5).fill(undefined));
    expect(one.running.size).toBe(5);
  });

  it('is asked for anew where it was forgotten while calls ran, and lets in as many as before', async () => {
    const [here, there] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    const forgotten = shared(here, { maxConcurrent: 8 });
    new Calls(forgotten).make(1);
    shared(there, { maxConcurrent: 8 });
    await elapse(5_000);
    forgotten.dispose();
    const again = new Calls(shared(here, { maxConcurrent: 8 }));
    again.make(6);
    await elapse(10);
    expect(again.running.size).toBe(6);
  });

  it('holds no slots that it is told of after it was forgotten', async () => {
    const [here, there] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    hub.isHolding = true;
    const forgotten = shared(here, { maxConcurrent: 4 });
    await flush();
    forgotten.dispose();
    await hub.deliverAll();
    hub.isHolding = false;
    const other = new Calls(shared(there, { maxConcurrent: 4 }));
    other.make(4);
    await elapse(10);
    expect(other.running.size).toBe(4);
  });

  it('lets no call wait for ever where it is forgotten while others have all slots', async () => {
    const [here, there] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    new Calls(shared(there, { maxConcurrent: 1 })).make(1);
    await flush();
    const forgotten = shared(here, { maxConcurrent: 1 });
    const calls = new Calls(forgotten);
    await flush();
    calls.make(1);
    await elapse(10);
    forgotten.dispose();
    await elapse(10);
    expect(calls.running.size).toBe(1);
  });

  it('warns where instances have other options by one name', async () => {
    const [one, other] = (await instances(2)) as [MemoryInstance, MemoryInstance];
    shared(one, { maxConcurrent: 10 });
    await flush();
    shared(other, { maxConcurrent: 20 });
    await flush();
    expect(one.warnings).toEqual([]);
    expect(other.warnings.join()).toContain('maxConcurrent 20 in this instance');
  });

  it('is refused where there is no fleet, and with adaptive', async () => {
    expect(() => new BulkheadPolicy('ledger', { shared: true })).toThrow(
      'bulkhead "ledger".shared: is true, and there is no fleet to share with',
    );
    const [one] = (await instances(1)) as [MemoryInstance];
    expect(() => shared(one, { adaptive: true })).toThrow(
      'bulkhead "ledger".shared: is true with adaptive',
    );
  });
});
