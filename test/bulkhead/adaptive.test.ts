import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import { AdaptiveLimit } from '../../lib/bulkhead/adaptive-limit.js';
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
