import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import { AdaptiveLimit } from '../../lib/common/adaptive-limit.js';
import {
  type AttemptContext,
  Bulkhead,
  type BulkheadOptions,
  BulkheadPolicy,
} from '../../lib/index.js';
import { elapse, flush, ResilienceApp } from '../support/resilience-app.js';

/** Works on `workers` calls at a time for `serviceMs` each; what is more than that waits inside. */
class Dependency {
  private free: number[] = [];

  constructor(
    public workers: number,
    public serviceMs: number,
  ) {}

  call(): Promise<void> {
    const at = performance.now();
    this.free = this.free.filter((time) => time > at).sort((a, b) => a - b);
    const begins =
      this.free.length < this.workers ? at : (this.free[this.free.length - this.workers] as number);
    const ends = begins + this.serviceMs;
    this.free.push(ends);
    return new Promise((resolve) => setTimeout(resolve, ends - at));
  }
}

/** So many callers, who call again as soon as they have their answer. */
class Callers {
  answers = 0;
  private active = 0;
  private wanted = 0;

  constructor(private readonly call: () => Promise<unknown>) {}

  want(callers: number): void {
    this.wanted = callers;
    while (this.active < callers) {
      this.active++;
      void this.callAgain();
    }
  }

  private async callAgain(): Promise<void> {
    while (this.active <= this.wanted) {
      await this.call();
      this.answers++;
    }
    this.active--;
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe('An adaptive bulkhead', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function make(options: BulkheadOptions, dependency: Dependency) {
    const policy = new BulkheadPolicy('adaptive', {
      adaptive: true,
      queueLimit: 1_000,
      ...options,
    });
    const callers = new Callers(() => policy.execute(() => dependency.call()));
    const limit = () => policy.getSnapshot().maxConcurrent;
    /** The limit that was in force most of the time. */
    const usually = async (ms: number) => {
      const seen: number[] = [];
      for (let elapsed = 0; elapsed < ms; elapsed += 100) {
        await elapse(100);
        seen.push(limit());
      }
      return seen.sort((a, b) => a - b)[seen.length >> 1] as number;
    };
    return { policy, callers, limit, usually };
  }

  async function done({ policy, callers }: { policy: BulkheadPolicy; callers: Callers }) {
    callers.want(0);
    await elapse(60_000);
    expect(policy.getSnapshot()).toMatchObject({ running: 0, queued: 0 });
    expect(jest.getTimerCount()).toBe(0);
  }

  it('settles a little above what the dependency can work on at a time, and keeps it busy', async () => {
    const dependency = new Dependency(20, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    const before = bulkhead.callers.answers;
    const limit = await bulkhead.usually(10_000);
    expect(limit).toBeGreaterThanOrEqual(20);
    expect(limit).toBeLessThanOrEqual(30);
    expect(bulkhead.callers.answers - before).toBeGreaterThanOrEqual(0.95 * (10_000 / 50) * 20);
    await done(bulkhead);
  });

  it('shrinks when the dependency can do less, and grows when it can do more again', async () => {
    const dependency = new Dependency(40, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    expect(await bulkhead.usually(5_000)).toBeGreaterThanOrEqual(40);
    dependency.workers = 8;
    await elapse(2_000);
    expect(bulkhead.limit()).toBeLessThanOrEqual(20); // most of it at once
    await elapse(8_000);
    const slow = await bulkhead.usually(10_000);
    expect(slow).toBeGreaterThanOrEqual(8);
    expect(slow).toBeLessThanOrEqual(16);
    dependency.workers = 40;
    await elapse(1_000);
    expect(bulkhead.limit()).toBeGreaterThanOrEqual(40); // in large steps while nothing waits
    await elapse(9_000);
    const again = await bulkhead.usually(5_000);
    expect(again).toBeGreaterThanOrEqual(40);
    expect(again).toBeLessThanOrEqual(55);
    await done(bulkhead);
  });

  it('shrinks to next to nothing for a dependency that can do next to nothing', async () => {
    const dependency = new Dependency(100, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    dependency.workers = 1;
    await elapse(60_000);
    expect(await bulkhead.usually(60_000)).toBeLessThanOrEqual(8);
    await done(bulkhead);
  });

  it('takes a dependency that has become faster for one that can do more, but not for long', async () => {
    const dependency = new Dependency(20, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    dependency.serviceMs = 20;
    await elapse(10_000);
    const limit = await bulkhead.usually(5_000);
    expect(limit).toBeGreaterThanOrEqual(20);
    expect(limit).toBeLessThanOrEqual(30);
    await done(bulkhead);
  });

  it('begins with few, and doubles as long as nothing waits inside the dependency', async () => {
    const bulkhead = make({}, new Dependency(1_000, 50));
    bulkhead.callers.want(1_000);
    expect(bulkhead.limit()).toBe(4);
    await elapse(1_000);
    expect(bulkhead.limit()).toBe(200);
    await done(bulkhead);
  });

  it('learns nothing from calls that fail fast', async () => {
    const dependency = new Dependency(20, 50);
    let fails = false;
    const bulkhead = make({}, dependency);
    const callers = new Callers(() =>
      bulkhead.policy
        .execute(async () => {
          await (fails ? elapsed(1) : dependency.call());
          if (fails) throw new Error('down');
        })
        .catch(() => undefined),
    );
    callers.want(200);
    await elapse(5_000);
    fails = true;
    await elapse(100);
    const limit = bulkhead.limit();
    await elapse(2_000);
    expect(bulkhead.limit()).toBe(limit);
    await done({ policy: bulkhead.policy, callers });
  });

  it('lets in who waits when it has learned from a stream that has only begun', async () => {
    const app = await ResilienceApp.boot();
    const pipeline = app.pipeline({ name: 'streams', bulkhead: { adaptive: true } });
    for (let run = 0; run < 9; run++) {
      const call = pipeline.execute(() => elapsed(10));
      await elapse(10);
      await call;
    }
    const sources = Array.from({ length: 6 }, () => new Subject<number>());
    const streams = sources.map((source) => pipeline.observe(() => source).subscribe());
    const snapshot = () => app.bulkheads.get('streams').getSnapshot();
    expect(snapshot()).toMatchObject({ running: 4, queued: 2, maxConcurrent: 4 });
    await elapse(10);
    sources[0]?.next(1);
    expect(snapshot()).toMatchObject({ running: 6, queued: 0, maxConcurrent: 8 });
    for (const stream of streams) stream.unsubscribe();
    await app.close();
  });

  it('finds the same limit again when each call merely takes longer', async () => {
    const dependency = new Dependency(20, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    dependency.serviceMs = 150;
    await elapse(1_000);
    expect(bulkhead.limit()).toBeLessThan(20); // at first it looks like a queue
    await elapse(20_000);
    const limit = await bulkhead.usually(20_000);
    expect(limit).toBeGreaterThanOrEqual(20);
    expect(limit).toBeLessThanOrEqual(30);
    await done(bulkhead);
  });

  it('lets in who waits as soon as the limit grows', async () => {
    const dependency = new Dependency(100, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(50);
    expect(bulkhead.policy.getSnapshot()).toMatchObject({
      running: 4,
      queued: 46,
      maxConcurrent: 4,
    });
    for (let elapsed = 0; elapsed < 2_000; elapsed += 50) {
      await elapse(50);
      const { running, queued, maxConcurrent } = bulkhead.policy.getSnapshot();
      expect(running).toBe(Math.min(50, maxConcurrent));
      expect(running + queued).toBe(50);
    }
    expect(bulkhead.limit()).toBeGreaterThanOrEqual(50);
    await done(bulkhead);
  });

  it('does not cut what runs when the limit shrinks, and admits nobody until it is under it', async () => {
    const dependency = new Dependency(40, 50);
    const bulkhead = make({}, dependency);
    bulkhead.callers.want(200);
    await elapse(5_000);
    dependency.workers = 1;
    const before = bulkhead.callers.answers;
    let above = 0;
    for (let elapsed = 0; elapsed < 20_000; elapsed += 50) {
      const { answers } = bulkhead.callers;
      const { running, maxConcurrent } = bulkhead.policy.getSnapshot();
      await elapse(50);
      const after = bulkhead.policy.getSnapshot();
      if (running <= maxConcurrent) continue;
      above++;
      expect(after.running).toBe(Math.max(running - (bulkhead.callers.answers - answers), 0));
      if (after.running <= after.maxConcurrent) break;
    }
    expect(above).toBeGreaterThan(0);
    expect(bulkhead.callers.answers).toBeGreaterThan(before);
    await done(bulkhead);
  });

  it('stays within its bounds, however much or little the dependency can take', async () => {
    for (const [workers, least, most] of [
      [100, 12, 12],
      [1, 6, 12],
    ] as const) {
      const bulkhead = make({ minConcurrent: 6, maxConcurrent: 12 }, new Dependency(workers, 50));
      bulkhead.callers.want(200);
      await elapse(5_000);
      for (let elapsed = 0; elapsed < 20_000; elapsed += 50) {
        await elapse(50);
        expect(bulkhead.limit()).toBeGreaterThanOrEqual(6);
        expect(bulkhead.limit()).toBeLessThanOrEqual(most);
      }
      expect(await bulkhead.usually(5_000)).toBeGreaterThanOrEqual(least);
      await done(bulkhead);
    }
  });

  it('neither grows nor shrinks while hardly anybody calls', async () => {
    const bulkhead = make({}, new Dependency(20, 50));
    bulkhead.callers.want(200);
    await elapse(10_000);
    bulkhead.callers.want(5);
    await elapse(5_000);
    const limit = bulkhead.limit();
    await elapse(20_000);
    expect(bulkhead.limit()).toBe(limit);
    await done(bulkhead);
  });

  it.each(['a bulkhead of the pipeline', 'a BulkheadPolicy inside it'])(
    'shrinks when calls time out, whatever the times say: %s',
    async (kind) => {
      const app = await ResilienceApp.boot();
      const bulkhead = { adaptive: true, maxConcurrent: 50 };
      app.pipeline({ name: 'hanging', bulkhead });
      const policy = app.bulkheads.get('hanging');
      const around = app.pipeline({ timeoutMs: 100 });
      const within = app.pipeline({ timeoutMs: 100, bulkhead: 'hanging' });
      const enter = <T>(work: (attempt: AttemptContext) => Promise<T>) =>
        kind.startsWith('a bulkhead')
          ? within.execute(work)
          : around.execute(() => policy.execute(work));
      const dependency = new Dependency(50, 20);
      let hangs = false;
      const work = ({ signal }: AttemptContext) =>
        hangs ? new Promise((_, no) => signal.addEventListener('abort', no)) : dependency.call();
      const callers = new Callers(() => enter<unknown>(work).catch(() => elapsed(10)));
      const limit = () => policy.getSnapshot().maxConcurrent;
      const gauge = () => app.metrics.get('bulkhead.limit', { bulkhead: 'hanging' });
      expect(gauge()).toBe(4);
      callers.want(50);
      await elapse(5_000);
      expect(limit()).toBe(50);
      expect(gauge()).toBe(50);
      hangs = true;
      await elapse(5_000);
      expect(limit()).toBeLessThanOrEqual(10);
      expect(gauge()).toBe(limit());
      callers.want(0);
      await elapse(1_000);
      await app.close();
    },
  );

  it('is only where it is asked for: a bulkhead that is not adaptive leaves out what the defaults say of bounds', async () => {
    const app = await ResilienceApp.boot({
      defaults: { bulkhead: { adaptive: true, minConcurrent: 5 } },
      bulkheads: { fixed: { adaptive: false }, found: { maxConcurrent: 50 } },
      services: { own: { bulkhead: { adaptive: false, maxConcurrent: 3 } } },
    });
    app.pipeline({ name: 'inline', bulkhead: { adaptive: false } });
    const limits = app.bulkheads
      .list()
      .map((each) => [each.name, each.getSnapshot().maxConcurrent]);
    expect(Object.fromEntries(limits)).toEqual({ fixed: 10, found: 5, own: 3, inline: 10 });
    await app.close();
  });

  it('takes its own default where it only says adaptive on top of a named one', async () => {
    @Injectable()
    @Bulkhead('named')
    class Service {
      async plain(): Promise<void> {}
      @Bulkhead({ adaptive: true })
      async own(): Promise<void> {}
    }
    const app = await ResilienceApp.boot({ bulkheads: { named: { queueLimit: 7 } } }, [Service]);
    expect(app.bulkheads.get('named').options).toEqual({ maxConcurrent: 10, queueLimit: 7 });
    expect(app.bulkheads.get('Service.own').options).toEqual({
      adaptive: true,
      minConcurrent: 1,
      maxConcurrent: 200,
      queueLimit: 7,
    });
    await app.close();
  });

  it('shows the limit in force as maxConcurrent, and has bounds of 1 and 200 by default', async () => {
    const policy = new BulkheadPolicy('default', { adaptive: true });
    expect(policy.getSnapshot()).toMatchObject({ maxConcurrent: 4, queueLimit: 100 });
    expect(policy.options).toMatchObject({ minConcurrent: 1, maxConcurrent: 200 });
    await flush();
  });
});

describe('AdaptiveLimit', () => {
  const sample = fc.record({
    durationMs: fc.double({ min: 0, max: 60_000, noNaN: true }),
    inFlight: fc.integer({ min: 1, max: 500 }),
    dropped: fc.boolean(),
  });

  it('stays a whole number within its bounds, whatever it is told, and knows no chance', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 0, max: 500 }),
        fc.array(sample, { maxLength: 2_000 }),
        (minimum, more, samples) => {
          const one = new AdaptiveLimit(minimum, minimum + more);
          const other = new AdaptiveLimit(minimum, minimum + more);
          for (const { durationMs, inFlight, dropped } of samples) {
            one.sample(durationMs, inFlight, dropped);
            other.sample(durationMs, inFlight, dropped);
            expect(Number.isInteger(one.limit)).toBe(true);
            expect(one.limit).toBeGreaterThanOrEqual(minimum);
            expect(one.limit).toBeLessThanOrEqual(minimum + more);
            expect(other.limit).toBe(one.limit);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  /**
   * A round, under load unless few are in flight: as many runs as it is made of, which take so long each.
   * Where eight may run, and 5 ms have become 8, three of them wait: so the numbers come out even.
   */
  function round(limit: AdaptiveLimit, durationMs: number, { drops = 0, inFlight = 1_000 } = {}) {
    const runs = Math.max(10, limit.limit);
    for (let run = 0; run < runs; run++) limit.sample(durationMs, inFlight, run < drops);
    return limit.limit;
  }

  /** One that has found 8, where 3 of them wait: neither too few nor too many. */
  function settledAtEight(minimum = 1) {
    const limit = new AdaptiveLimit(minimum, 1_000);
    expect([round(limit, 5), round(limit, 8)]).toEqual([8, 8]);
    return limit;
  }

  it('begins with four, or with the bound that is nearest', () => {
    expect(new AdaptiveLimit(1, 200).limit).toBe(4);
    expect(new AdaptiveLimit(6, 200).limit).toBe(6);
    expect(new AdaptiveLimit(1, 3).limit).toBe(3);
  });

  it('doubles with each round as long as nobody waits, up to its upper bound', () => {
    const limit = new AdaptiveLimit(1, 100);
    expect([1, 2, 3, 4, 5, 6].map(() => round(limit, 5))).toEqual([8, 16, 32, 64, 100, 100]);
  });

  it('doubles also where a run takes no time that a clock could tell', () => {
    const limit = new AdaptiveLimit(1, 100);
    expect([1, 2, 3].map(() => round(limit, 0))).toEqual([8, 16, 32]);
    const settled = settledAtEight();
    round(settled, 0, { inFlight: 1 });
    expect(round(settled, 0)).toBe(14); // nobody waits
  });

  it('learns by rounds: of ten runs, or of as many as may run at a time', () => {
    const limit = new AdaptiveLimit(1, 1_000);
    for (const [before, runs, after] of [
      [4, 10, 8],
      [8, 10, 16],
      [16, 16, 32],
    ] as const) {
      for (let run = 0; run < runs; run++) {
        expect(limit.limit).toBe(before);
        limit.sample(5, 1_000, false);
      }
      expect(limit.limit).toBe(after);
    }
  });

  it('takes the mean of a round for how long a run takes', () => {
    const limit = settledAtEight();
    for (let run = 0; run < 10; run++) limit.sample(run < 5 ? 4 : 6, 1_000, false);
    expect(limit.limit).toBe(14); // as if each had taken 5 ms, so that nobody waited
  });

  it.each([
    [5, 1, 14, 'up by six while nobody waits'],
    [7, 8, 14, 'up by six while one waits'],
    [6, 8, 9, 'up by one while two wait'],
    [5, 8, 8, 'not at all while three wait'],
    [2, 8, 8, 'not at all while six wait'],
    [1, 8, 7, 'down by one while seven wait'],
    [1, 100, 7, 'down by one while hardly anybody does anything else'],
  ])(
    'moves, once it has settled at eight (without load %d ms, now %d ms: %d), %s',
    (unloadedMs, ms, found) => {
      const limit = new AdaptiveLimit(1, 1_000);
      round(limit, unloadedMs);
      round(limit, unloadedMs * 2); // four of eight wait, which is enough to end the doubling
      expect(limit.limit).toBe(8);
      expect(round(limit, ms)).toBe(found);
    },
  );

  it('moves by larger steps the larger it is, and wears half of a great excess away at once', () => {
    const settled = () => {
      const limit = new AdaptiveLimit(1, 1_000);
      for (let doubling = 0; doubling < 4; doubling++) round(limit, 7);
      expect(round(limit, 8)).toBe(64); // eight wait, between 5.4 and 10.8
      return limit;
    };
    expect(round(settled(), 7)).toBe(74); // + 10.8
    expect(round(settled(), 7.3)).toBe(65); // + 1.8
    expect(round(settled(), 14)).toBe(53); // 32 wait: − (32 − 10.8) ÷ 2
  });

  it('ends its doubling for good where three wait', () => {
    const limit = new AdaptiveLimit(1, 1_000);
    expect([round(limit, 5), round(limit, 8), round(limit, 5)]).toEqual([8, 8, 14]);
  });

  it('does not end its doubling for two that wait', () => {
    const limit = new AdaptiveLimit(1, 1_000);
    expect([round(limit, 6), round(limit, 8)]).toEqual([8, 16]);
  });

  it('takes the time of a round in which no more than half of its limit ran for that without load', () => {
    const limit = settledAtEight();
    expect(round(limit, 8, { inFlight: 4 })).toBe(8);
    expect(round(limit, 8)).toBe(14); // nobody waits, by that
    const other = settledAtEight();
    expect(round(other, 8, { inFlight: 5 })).toBe(8); // three wait
    expect(round(other, 8)).toBe(8);
  });

  it('goes on doubling after a time without load', () => {
    const limit = new AdaptiveLimit(1, 1_000);
    expect(round(limit, 5)).toBe(8);
    expect(round(limit, 5, { inFlight: 1 })).toBe(8);
    expect(round(limit, 5)).toBe(16);
  });

  it('takes the most that ran at a time in a round for its load, whenever that was', () => {
    const limit = new AdaptiveLimit(1, 1_000);
    for (let run = 0; run < 10; run++) limit.sample(5, run === 3 ? 4 : 1, false);
    expect(limit.limit).toBe(8);
    for (let run = 0; run < 10; run++) limit.sample(5, 1, false);
    expect(limit.limit).toBe(8); // and the next round begins anew
  });

  describe('after thirty rounds under load', () => {
    function atProbe(minimum = 1) {
      const limit = settledAtEight(minimum);
      for (let rounds = 2; rounds < 29; rounds++) expect(round(limit, 8)).toBe(8);
      expect(round(limit, 8)).toBe(4);
      return limit;
    }

    it('halves its limit for two rounds, and takes what the second of them says for the time without load', () => {
      const limit = atProbe();
      expect(round(limit, 8)).toBe(4); // of these, some began before
      expect(round(limit, 7)).toBe(8);
      expect(round(limit, 8)).toBe(14); // one waits, by that
    });

    it('halves it again where a run takes less than six tenths of the time by that', () => {
      const limit = atProbe();
      round(limit, 8);
      expect(round(limit, 4)).toBe(2);
      round(limit, 8);
      expect(round(limit, 3)).toBe(8); // not less than six tenths of 4 ms
      expect(round(limit, 4)).toBe(9); // two wait
    });

    it('does not halve it again where a run takes six tenths of the time', () => {
      const limit = settledAtEight();
      for (let rounds = 2; rounds < 29; rounds++) round(limit, 8);
      expect(round(limit, 10)).toBe(4);
      round(limit, 8);
      expect(round(limit, 6)).toBe(8);
    });

    it('does not go below its lower bound for that', () => {
      const limit = atProbe(4);
      round(limit, 8);
      expect(round(limit, 1)).toBe(8);
    });

    it('waits for twice as many runs as it allows then before it looks at them', () => {
      const limit = new AdaptiveLimit(1, 64);
      for (let rounds = 0; rounds < 29; rounds++) round(limit, 5);
      expect(round(limit, 5)).toBe(32);
      for (let run = 0; run < 64; run++) limit.sample(1_000, 1_000, false);
      for (let run = 0; run < 31; run++) limit.sample(5, 1_000, false);
      expect(limit.limit).toBe(32);
      limit.sample(5, 1_000, false);
      expect(limit.limit).toBe(64);
    });

    it('does so thirty rounds later again, or after the latest one without load', () => {
      const limit = atProbe();
      round(limit, 8);
      expect(round(limit, 5)).toBe(8);
      for (let rounds = 0; rounds < 20; rounds++) expect(round(limit, 8)).toBe(8);
      round(limit, 5, { inFlight: 1 });
      for (let rounds = 0; rounds < 29; rounds++) expect(round(limit, 8)).toBe(8);
      expect(round(limit, 8)).toBe(4);
    });

    it('shrinks at once where calls time out meanwhile, and looks again once they do not', () => {
      const limit = atProbe();
      expect(round(limit, 8, { drops: 1 })).toBe(7); // a tenth less than eight
      expect(round(limit, 8)).toBe(4);
    });
  });

  it('shrinks by a tenth with a round of which a tenth timed out, and not with less', () => {
    const limit = settledAtEight();
    expect(round(limit, 8, { drops: 1 })).toBe(7);
    const large = new AdaptiveLimit(20, 1_000);
    expect(round(large, 5, { drops: 1 })).toBe(40);
    expect(round(large, 5, { drops: 4 })).toBe(36);
    expect(round(large, 5)).toBe(36 + 9); // it has ended its doubling by that
  });

  it('takes one timeout among many answers for bad luck', () => {
    const limit = new AdaptiveLimit(1, 100);
    for (let run = 0; run < 5_000; run++) limit.sample(50, limit.limit, run % 50 === 0);
    expect(limit.limit).toBeGreaterThanOrEqual(50);
  });

  it('shrinks by a tenth with each round in which a tenth timed out, down to its lower bound', () => {
    const limit = new AdaptiveLimit(3, 100);
    for (let run = 0; run < 2_000; run++) limit.sample(50, limit.limit, false);
    expect(limit.limit).toBeGreaterThanOrEqual(50);
    for (let run = 0; run < 10_000; run++) limit.sample(50, limit.limit, run % 5 === 0);
    expect(limit.limit).toBe(3);
  });
});
