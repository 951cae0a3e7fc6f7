import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type {
  LeaseRequest,
  ProbePermit,
  ProbeReport,
  SharedVerdicts,
  Verdict,
  Vote,
} from '../../lib/index.js';
import { RedisVerdicts } from '../../lib/redis/redis-verdicts.js';
import { VerdictStore } from '../support/memory-verdicts.js';
import { TimedRedis } from './timed-redis.js';

const INSTANCES = ['one', 'two'];
const BREAKER = 'payments';

/** What happens to a breaker. Times are long, so that no key goes while the test runs. */
type Step =
  | { readonly what: 'wait'; readonly ms: number }
  | { readonly what: 'read' }
  | { readonly what: 'close' }
  | ({ readonly what: 'vote'; readonly instance: string } & Omit<Vote, 'seen'>)
  | {
      readonly what: 'lease';
      readonly instance: string;
      readonly isOld: boolean;
      readonly maxPermits: number;
    }
  | {
      readonly what: 'report';
      readonly instance: string;
      /** Which of the permits that were asked for, from the last one on. */
      readonly permit: number;
      readonly report: ProbeReport;
    };

const ms = fc.constantFrom(100_000, 140_000, 200_000);
const instance = fc.constantFrom(...INSTANCES);
const report: fc.Arbitrary<ProbeReport> = fc.oneof(
  fc.record({
    outcome: fc.constant('success' as const),
    successThreshold: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({ outcome: fc.constant('failure' as const), openMs: ms, baseMs: ms }),
  fc.constant({ outcome: 'nothing' as const }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    what: fc.constant('wait' as const),
    ms: fc.constantFrom(0, 10_000, 40_000, 60_000, 100_000, 300_000),
  }),
  fc.constant({ what: 'read' as const }),
  fc.constant({ what: 'close' as const }),
  fc.record({
    what: fc.constant('vote' as const),
    instance,
    openMs: ms,
    baseMs: ms,
    quorum: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({
    what: fc.constant('lease' as const),
    instance,
    isOld: fc.constantFrom(false, false, false, true),
    maxPermits: fc.integer({ min: 1, max: 2 }),
  }),
  fc.record({
    what: fc.constant('report' as const),
    instance,
    permit: fc.integer({ min: 0, max: 3 }),
    report,
  }),
);

const ALONE = { openMs: 100_000, baseMs: 100_000, quorum: 1, seen: 0 };

function probeOf(verdict: Verdict | undefined): LeaseRequest {
  const generation = verdict?.generation ?? 0;
  return { generation, token: 'one/1', maxPermits: 1, ttlMs: 100_000, lockoutMs: 0 };
}

describe('Verdicts in Redis', () => {
  let redis: TimedRedis;

  beforeAll(async () => {
    redis = await TimedRedis.start();
  });
  afterAll(() => redis.stop());
  beforeEach(() => {
    redis.refused = [];
  });

  it('are what they are in memory, after whatever happens', async () => {
    const sides = new Map<string, SharedVerdicts>();
    for (const name of INSTANCES) sides.set(name, new RedisVerdicts(redis.storeOf(name)));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 80 }), async (steps) => {
        await redis.client.flushall();
        const told: Verdict[] = [];
        const toldInMemory: Verdict[] = [];
        const last = sides.get('two') as SharedVerdicts;
        const stop = last.listen(BREAKER, (verdict) => told.push(verdict));
        const memory = new VerdictStore((_breaker, verdict) => toldInMemory.push(verdict));
        const asked: ProbePermit[] = [];
        let generation = 0;
        for (const each of steps) {
          if (each.what === 'wait') redis.now += each.ms;
          else {
            const side = sides.get('instance' in each ? each.instance : 'one') as SharedVerdicts;
            const [inRedis, inMemory] = await both(each, side, memory, asked, generation);
            expect(inRedis).toEqual(inMemory);
            generation = memory.read(BREAKER, redis.now).generation;
          }
        }
        while (told.length < toldInMemory.length) await new Promise(setImmediate);
        stop();
        expect(told).toEqual(toldInMemory);
        expect(redis.refused).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  async function both(
    each: Exclude<Step, { what: 'wait' }>,
    side: SharedVerdicts,
    memory: VerdictStore,
    asked: ProbePermit[],
    generation: number,
  ): Promise<[unknown, unknown]> {
    if (each.what === 'read') return [await side.read(BREAKER), memory.read(BREAKER, redis.now)];
    if (each.what === 'close')
      return [await side.close(BREAKER, generation), memory.close(BREAKER, generation, redis.now)];
    if (each.what === 'vote') {
      const { what: _, instance: by, ...spans } = each;
      const vote: Vote = { ...spans, seen: generation };
      return [await side.vote(BREAKER, vote), memory.vote(BREAKER, by, vote, redis.now)];
    }
    if (each.what === 'lease') {
      const permit = {
        generation: each.isOld ? generation - 1 : generation,
        token: `${asked.length}`,
      };
      asked.push(permit);
      const { maxPermits } = each;
      const request: LeaseRequest = { ...permit, maxPermits, ttlMs: 100_000, lockoutMs: 50_000 };
      return [
        await side.lease(BREAKER, request),
        memory.lease(BREAKER, each.instance, request, redis.now),
      ];
    }
    const permit = asked.at(-1 - each.permit) ?? { generation, token: 'of nobody' };
    return [
      await side.report(BREAKER, permit, each.report),
      memory.report(BREAKER, each.instance, permit, each.report, redis.now),
    ];
  }

  it('go by themselves when nobody asks for them any more', async () => {
    await redis.client.flushall();
    const side = new RedisVerdicts(redis.storeOf('one'));
    const keys = ['s', 'v', 'p'].map((part) => `{breaker:${BREAKER}}:${part}`) as [
      string,
      string,
      string,
    ];
    const left = () => Promise.all(keys.map((key) => redis.client.pttl(key)));
    await side.vote(BREAKER, { openMs: 50_000, baseMs: 50_000, quorum: 2, seen: 0 });
    const [, votes] = await left();
    expect(votes).toBeGreaterThan(90_000);
    expect(votes).toBeLessThanOrEqual(100_000);
    await side.vote(BREAKER, { openMs: 50_000, baseMs: 50_000, quorum: 1, seen: 0 });
    expect((await left())[0]).toBeGreaterThan(3_500_000);
    redis.now += 50_000;
    const { generation } = (await side.read(BREAKER)) as Verdict;
    const lease = { generation, token: 'a', maxPermits: 1, ttlMs: 50_000, lockoutMs: 0 };
    await side.lease(BREAKER, lease);
    const [, , permits] = await left();
    expect(permits).toBeGreaterThan(90_000);
    expect(permits).toBeLessThanOrEqual(100_000);
    await side.report(BREAKER, lease, { outcome: 'failure', openMs: 2_000_000, baseMs: 1 });
    const [verdict, ...gone] = await left();
    expect(verdict).toBeGreaterThan(7_900_000);
    expect(gone).toEqual([-2, -2]);
  });

  it('grow in generation also where all was lost', async () => {
    await redis.client.flushall();
    const side = new RedisVerdicts(redis.storeOf('one'));
    const seen = redis.now + 1_000_000;
    const vote = { openMs: 50_000, baseMs: 50_000, quorum: 1, seen };
    expect(await side.vote(BREAKER, vote)).toMatchObject({ generation: seen + 1 });
    await redis.client.flushall();
    expect(await side.vote(BREAKER, { ...vote, seen: 0 })).toMatchObject({ generation: redis.now });
  });

  it('are not believed where they are of a foreign form or size', async () => {
    const side = new RedisVerdicts(redis.storeOf('one'));
    const told: Verdict[] = [];
    side.listen(BREAKER, (verdict) => told.push(verdict));
    const foreign: unknown[][] = [
      [],
      [1, 2, 3, 4, 5],
      [BREAKER],
      [BREAKER, '1', 1, 1, 1],
      [BREAKER, 1e300, 1, 1, 1],
      [BREAKER, redis.now + 366 * 86_400_000, 1, 1, 1], // no verdict would come after that
      [BREAKER, -1, 1, 1, 1],
      [BREAKER, 1, 2, 1, 1],
      [BREAKER, 1, true, 1, 1],
      [BREAKER, 1, 1, 1e12, 1],
      [BREAKER, 1, 1, 0.5, 1],
      [BREAKER, 1, 1, 1, {}],
    ];
    for (const values of foreign) redis.tell('verdict', values);
    expect(told).toEqual([]);
    expect(redis.refused).toHaveLength(foreign.length);
    await redis.client.flushall();
    await redis.client.hset(`{breaker:${BREAKER}}:s`, 'generation', '1e300', 'open', '7');
    expect(await side.read(BREAKER)).toBeUndefined();
    expect(redis.refused).toHaveLength(foreign.length + 1);
  });

  it.each([
    ['generation', '1e300'],
    ['generation', 'nan'],
    ['generation', '99999999999999'],
    ['open', 'inf'],
    ['openMs', '1e300'],
    ['untilMs', 'inf'],
    ['baseMs', '-5'],
  ])('are decided anew where the %s is %s, which no instance has written', async (field, value) => {
    await redis.client.flushall();
    const side = new RedisVerdicts(redis.storeOf('one'));
    await side.vote(BREAKER, ALONE);
    await redis.client.hset(`{breaker:${BREAKER}}:s`, field, value);
    await side.vote(BREAKER, ALONE);
    redis.now += ALONE.openMs;
    redis.refused = [];
    expect(await side.vote(BREAKER, ALONE)).toMatchObject({ isOpen: true, leftMs: ALONE.openMs });
    expect(await side.read(BREAKER)).toMatchObject({ isOpen: true, leftMs: ALONE.openMs });
    expect(redis.refused).toEqual([]);
  });

  it('neither count votes nor permits of a time that no instance has written', async () => {
    await redis.client.flushall();
    const side = new RedisVerdicts(redis.storeOf('one'));
    await redis.client.zadd(`{breaker:${BREAKER}}:v`, 'inf', 'two');
    expect(await side.vote(BREAKER, { ...ALONE, quorum: 2 })).toMatchObject({ isOpen: false });
    const verdict = await side.vote(BREAKER, ALONE);
    redis.now += ALONE.openMs;
    await redis.client.zadd(`{breaker:${BREAKER}}:p`, '9e15', 'a probe');
    expect(await side.lease(BREAKER, probeOf(verdict))).toMatchObject({ isGranted: true });
  });

  it('keep no breaker open for longer where the clock of Redis is put back', async () => {
    await redis.client.flushall();
    const side = new RedisVerdicts(redis.storeOf('one'));
    const verdict = await side.vote(BREAKER, ALONE);
    redis.now -= 3_600_000;
    expect(await side.lease(BREAKER, probeOf(verdict))).toMatchObject({ isGranted: true });
    const span = { openMs: ALONE.openMs, baseMs: ALONE.baseMs };
    const again = await side.report(BREAKER, probeOf(verdict), { outcome: 'failure', ...span });
    expect(again).toMatchObject({ isOpen: true, leftMs: ALONE.openMs });
    expect(again?.generation).toBeGreaterThan(verdict?.generation ?? 0);
  });
});
