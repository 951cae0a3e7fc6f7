import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { KnownOrder, Order } from '../../lib/index.js';
import { RedisRegister } from '../../lib/redis/redis-register.js';
import { RegisterStore } from '../support/memory-register.js';
import { TimedRedis } from './timed-redis.js';

const KEY = '{orders:}:last';
const DAY_MS = 86_400_000;

type Step =
  | { readonly what: 'wait'; readonly ms: number }
  | { readonly what: 'exchange'; readonly orders: readonly KnownOrder[] };

const order: fc.Arbitrary<KnownOrder> = fc.record({
  subject: fc.constantFrom('breakers/payments', 'chaos/all'),
  generation: fc.constantFrom(0, 0, 5, 1_700_000_000_000, 1_700_000_100_000),
  after: fc.constantFrom(0, 1_700_000_000_500, 1_710_000_000_000),
  ageMs: fc.constantFrom(0, 0, 1, 5_000),
  value: fc.constantFrom(null, 'FORCED_OPEN', { some: ['"text"', 'ä\n', 1.5] }),
  by: fc.constantFrom('one', 'two'),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    what: fc.constant('wait' as const),
    ms: fc.constantFrom(1, 1_000, DAY_MS / 2, DAY_MS),
  }),
  fc.record({ what: fc.constant('exchange' as const), orders: fc.array(order, { maxLength: 3 }) }),
);

const bySubject = (one: Order, other: Order) => (one.subject < other.subject ? -1 : 1);

describe('Orders in Redis', () => {
  let redis: TimedRedis;

  beforeAll(async () => {
    redis = await TimedRedis.start();
  });
  afterAll(() => redis.stop());
  beforeEach(async () => {
    redis.refused = [];
    await redis.client.flushall();
  });

  it('are what they are in memory, after whatever is said', async () => {
    const side = new RedisRegister(redis.storeOf('one'));
    let told: (Order | undefined)[] = [];
    side.listen({ ordered: (each) => told.push(each), lost: () => told.push(undefined) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        await redis.client.flushall();
        const inMemory: (Order | undefined)[] = [];
        const memory = new RegisterStore((each) => inMemory.push(each));
        told = [];
        for (const each of steps) {
          if (each.what === 'wait') redis.now += each.ms;
          else {
            const answer = await side.exchange(each.orders);
            const expected = memory.exchange(each.orders, redis.now);
            expect([...(answer ?? [])].sort(bySubject)).toEqual(expected.sort(bySubject));
          }
        }
        while (told.length < inMemory.length) await new Promise(setImmediate);
        expect(told).toEqual(inMemory);
        expect(redis.refused).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('stay for as long as one stands, and go a day after the last was taken back', async () => {
    const side = new RedisRegister(redis.storeOf('one'));
    const forced = { generation: 0, after: 0, ageMs: 0, by: 'one' };
    await side.exchange([{ ...forced, subject: 'breakers/payments', value: 'FORCED_OPEN' }]);
    expect(await redis.client.pttl(KEY)).toBe(-1);
    await side.exchange([{ ...forced, subject: 'breakers/payments', value: null }]);
    expect(await redis.client.pttl(KEY)).toBeGreaterThan(DAY_MS - 60_000);
  });

  it('are not believed where they are of a foreign form or size', async () => {
    const side = new RedisRegister(redis.storeOf('one'));
    const told: unknown[] = [];
    side.listen({ ordered: (each) => told.push(each), lost: () => told.push('lost') });
    const good = ['breakers/payments', 5, 0, 'one', 'null'];
    const but = (place: number, value: unknown) =>
      good.map((each, n) => (n === place ? value : each));
    const foreign: unknown[][] = [
      [],
      ['breakers/payments'],
      but(0, 5),
      but(0, ''),
      but(0, 'x'.repeat(501)),
      but(1, 0),
      but(1, -1),
      but(1, 1.5),
      but(1, redis.now + 366 * 86_400_000),
      but(1, '5'),
      but(2, -1),
      but(2, null),
      but(3, {}),
      but(3, 'x'.repeat(301)),
      but(3, 'one\ntwo'),
      but(4, '{'),
      but(4, 5),
      but(4, JSON.stringify('x'.repeat(4_096))),
    ];
    for (const values of foreign) redis.tell('order', values);
    expect(told).toEqual([]);
    expect(redis.refused).toHaveLength(foreign.length);
    const records = {
      some: 'text',
      'breakers/a': `${'9'.repeat(30)}\none\nnull`,
      'breakers/b': '5\none\n{',
    };
    await redis.client.hset(KEY, records);
    await redis.client.hset(KEY, 'breakers/c', '7\none\n"FORCED_OPEN"');
    redis.refused = [];
    expect(await side.exchange([])).toEqual([
      {
        subject: 'breakers/c',
        generation: 7,
        ageMs: redis.now - 7,
        by: 'one',
        value: 'FORCED_OPEN',
      },
    ]);
    expect(redis.refused).toHaveLength(2); // one of them had been taken back too long ago
    const given = { subject: 'breakers/a', ageMs: 0, by: 'one', value: 'DISABLED' };
    const answer = await side.exchange([{ ...given, generation: 0, after: 0 }]);
    expect(answer).toContainEqual({ ...given, generation: redis.now });
  });

  it('are not read where there are more of them than instances write', async () => {
    const side = new RedisRegister(redis.storeOf('one'));
    const many = Object.fromEntries(
      Array.from({ length: 1_001 }, (_, n) => [`a/${n}`, '5\none\n1']),
    );
    await redis.client.hset(KEY, many);
    expect(await side.exchange([])).toBeUndefined();
    expect(redis.refused).toEqual(['an answer about orders']);
  });
});
