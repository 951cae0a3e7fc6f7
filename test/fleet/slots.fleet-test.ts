import { describe, expect, test } from '@jest/globals';
import type { FleetLink } from '../../lib/index.js';
import { SlotStore } from '../support/memory-slots.js';
import { redisLinks } from '../support/redis-links.js';

const redis = redisLinks();
const { linked } = redis;

const LONG = 600_000;

/** Numbers that look like chance, and are the same each time. */
function chance(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 16_807) % 2_147_483_647;
    return state % below;
  };
}

describe('Slots in Redis', () => {
  test('are leased as those in memory are, whoever asks for how many', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const links = new Map<string, FleetLink>();
    for (const name of names) links.set(name, await linked(name));
    let freed = 0;
    const memory = new SlotStore(() => freed++);
    let told = 0;
    links.get('a')?.slots.listen('ledger', () => told++);
    const pick = chance(7);
    const held = new Map<string, number>();
    let sequence = 0;
    for (let step = 0; step < 400; step++) {
      const name = names[pick(4)] as string;
      const had = held.get(name) ?? 0;
      const request = {
        max: 4 + pick(2) * 8, // the turns of more instances than slots go by time, which is not the same here
        held: pick(3) === 0 ? Math.floor(had / 2) : had,
        wanted: pick(4) === 0 ? 0 : pick(10),
        leaseMs: LONG,
        isKnown: pick(2) === 0,
        sequence: pick(10) === 0 ? sequence : ++sequence,
      };
      const expected = memory.lease('ledger', name, request, 1_000_000);
      expect(await links.get(name)?.slots.lease('ledger', request)).toEqual(expected);
      if (expected !== undefined) held.set(name, Math.max(request.held, expected.slots));
    }
    expect(freed).toBeGreaterThan(10);
    const isLast = new Promise<void>((resolve) => {
      links.get('a')?.slots.listen('last', resolve);
    });
    await redis.client.publish('bulwark:1:{shop}:0', JSON.stringify([1, 'freed', 'last']));
    await isLast;
    expect(told).toBe(freed);
  });

  test('are free again after the lease of who is not heard of, and when it gives them up', async () => {
    const [one, other] = [await linked('one'), await linked('other')];
    const request = { max: 4, held: 0, wanted: 4, leaseMs: 50, isKnown: false, sequence: 1 };
    expect(await one.slots.lease('ledger', request)).toMatchObject({ slots: 4 });
    expect(await other.slots.lease('ledger', request)).toMatchObject({ slots: 0 });
    let slots = 0;
    for (let sequence = 2; slots === 0; sequence++) {
      const lease = await other.slots.lease('ledger', { ...request, leaseMs: LONG, sequence });
      slots = lease?.slots ?? 0;
    }
    expect(slots).toBe(4);
    const all = { max: 4, held: 0, wanted: 0, leaseMs: LONG, isKnown: false, sequence: 1_000_000 };
    await other.slots.lease('ledger', all);
    const again = { ...request, sequence: 2 };
    expect(await one.slots.lease('ledger', again)).toMatchObject({ slots: 4 });
  });

  test('are spread over many instances in one step, also where what is stored is of another form', async () => {
    const link = await linked('one');
    const request = { max: 4, held: 0, wanted: 4, leaseMs: LONG, isKnown: false, sequence: 1 };
    await link.slots.lease('ledger', request);
    const [key] = await redis.client.keys('*bulkhead*');
    await redis.client.hset(key as string, {
      'of:two': 'all',
      'of:three': '-1 2 3 4',
      what: '9 9 9 9',
      for: '4 4 9000000000000000 1',
    });
    expect(await link.slots.lease('ledger', { ...request, sequence: 2 })).toEqual({
      slots: 4,
      isDisputed: false,
    });
    expect(Object.keys(await redis.client.hgetall(key as string)).sort()).toEqual([
      'max',
      'of:one',
    ]);
  });

  test('are not believed where a message is of another form', async () => {
    const refused: string[] = [];
    const link = await linked('one', refused);
    const told = new Promise<void>((resolve) => {
      link.slots.listen('ledger', resolve);
    });
    const channel = 'bulwark:1:{shop}:0';
    for (const name of [7, null, ['ledger']])
      await redis.client.publish(channel, JSON.stringify([1, 'freed', name]));
    await redis.client.publish(channel, JSON.stringify([1, 'freed', 'ledger']));
    await told;
    expect(refused).toHaveLength(3);
  });
});
