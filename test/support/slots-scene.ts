import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { BulkheadPolicy } from '../../lib/bulkhead/bulkhead.policy.js';
import { MemoryFleet, type MemoryLink } from './memory-fleet.js';
import { memoryInstance } from './memory-instance.js';
import { Deferred, elapse, flush, watch } from './resilience-app.js';

const LEASE_MS = 3_000;
const BEAT_MS = LEASE_MS / 3;
/** Questions arrive, and their answers come too late: as good as cut, where it lasts for a lease and a half. */
const TOO_SLOW_MS = 200;

const pod = fc.nat(4);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ pod, calls: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 8, arbitrary: fc.record({ pod, ends: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 8, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 2, arbitrary: fc.record({ pod, slowMs: fc.constantFrom(0, 1, 20, 120) }) },
  { weight: 2, arbitrary: fc.record({ pod, lateMs: fc.integer({ min: 1, max: 1_000 }) }) },
  { weight: 2, arbitrary: fc.record({ pod, doubles: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ pod, loses: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, crashes: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ starts: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, fewer: fc.integer({ min: 0, max: 6 }) }) },
);
const trouble = fc.oneof(
  { weight: 8, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ pod, cuts: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ pod, slowMs: fc.constant(TOO_SLOW_MS) }) },
);
type Step = typeof trouble extends fc.Arbitrary<infer Each> ? Each : never;

/** Instances that come and go, with calls that run until they are ended. */
class SlotsScene {
  readonly hub = new MemoryFleet();
  private readonly policies: BulkheadPolicy[] = [];
  readonly pods: {
    link: MemoryLink;
    policy: BulkheadPolicy;
    running: Set<Deferred<number>>;
  }[] = [];

  /** So many ran at a time at most. */
  most = 0;

  constructor(private readonly maxConcurrent: number) {
    jest.setSystemTime(0); // whose turn it is goes by the time
  }

  async start(): Promise<void> {
    const name = `pod ${this.policies.length}`;
    const { link, host } = await memoryInstance(this.hub, { name, probeWaitMs: 250 });
    const options = { maxConcurrent: this.maxConcurrent, shared: true };
    const policy = new BulkheadPolicy('ledger', options, host);
    this.policies.push(policy);
    this.pods.push({ link, policy, running: new Set() });
  }

  get running(): number {
    return this.pods.reduce((sum, { running }) => sum + running.size, 0);
  }

  call(at: number): void {
    const { policy, running } = this.pods[at] as (typeof this.pods)[number];
    watch(
      policy.execute(() => {
        const work = new Deferred<number>();
        running.add(work);
        this.most = Math.max(this.most, this.running);
        return work.promise;
      }),
    );
  }

  end(at: number, count: number): void {
    const { running } = this.pods[at] as (typeof this.pods)[number];
    for (const work of [...running].slice(0, count)) {
      running.delete(work);
      work.resolve(1);
    }
  }

  /** With what comes next, as long as any has slots. */
  async endAll(): Promise<void> {
    while (this.running > 0) {
      for (let at = 0; at < this.pods.length; at++) this.end(at, 1_000);
      await flush();
    }
  }

  /** One of them goes by so many fewer, as others may, or not. */
  change(at: number, fewer: number): void {
    const maxConcurrent = Math.max(1, this.maxConcurrent - fewer);
    this.pods[at]?.policy.change({ maxConcurrent, shared: true });
  }

  over(): void {
    for (const policy of this.policies) {
      policy.shutdown();
      policy.dispose();
    }
    jest.clearAllTimers();
  }

  /**
   * One that had no call for long begins by its even share where its first question has no answer, or the
   * refusal of its repetition comes before it. So it asks, and is answered, before there is trouble.
   */
  private async keepBusy(at: number): Promise<void> {
    this.call(at);
    this.end(at, 1);
    await elapse(BEAT_MS / 2);
  }

  /** No answer of that time comes soon enough, and one after it does. */
  private async delay(link: MemoryLink, ms: number): Promise<void> {
    const { slowMs } = link;
    link.slowMs = TOO_SLOW_MS;
    await elapse(ms);
    link.slowMs = slowMs;
    await elapse(1.5 * BEAT_MS);
  }

  async take(each: Step): Promise<void> {
    if ('ms' in each) {
      await elapse(each.ms);
    } else if ('starts' in each) {
      if (this.pods.length < 6) await this.start();
    } else {
      const at = each.pod % this.pods.length;
      const { link } = this.pods[at] as (typeof this.pods)[number];
      if ('slowMs' in each) link.slowMs = each.slowMs;
      else if ('lateMs' in each) {
        await this.keepBusy(at);
        await this.delay(link, each.lateMs);
      } else if ('fewer' in each) {
        this.change(at, each.fewer);
      } else if ('cuts' in each) {
        if (each.cuts) link.cut();
        else void link.mend();
      } else if ('crashes' in each) {
        if (this.pods.length > 1) {
          link.crash(); // its calls end with it
          this.pods.splice(at, 1);
        }
      } else if ('calls' in each) {
        for (let made = 0; made < each.calls; made++) this.call(at);
      } else if ('ends' in each) {
        this.end(at, each.ends);
      } else {
        await this.keepBusy(at);
        this.hub.isHolding = true;
        this.call(at);
        this.end(at, 1);
        await flush();
        if ('doubles' in each) this.hub.double();
        else this.hub.lose();
        this.hub.isHolding = false;
        while (this.hub.parcels.length > 0) this.hub.deliver();
      }
    }
    await flush();
  }
}

/** Never more run than there are slots while instances hear of each other, and all slots come back. */
function expectNoMoreThanSlots(numRuns: number): Promise<void> {
  return expectOf(numRuns, step, async (scene, maxConcurrent, steps) => {
    for (const each of steps) {
      await scene.take(each);
      expect(scene.most).toBeLessThanOrEqual(maxConcurrent);
    }
    for (const { link } of scene.pods) link.slowMs = 0;
    for (let at = 0; at < scene.pods.length; at++) {
      scene.change(at, 0);
      scene.call(at);
    }
    for (let beat = 0; beat < 60; beat++) {
      await elapse(BEAT_MS);
      await scene.endAll();
    }
    // One alone gets all of them.
    for (let made = 0; made < 50; made++) scene.call(0);
    await elapse(2 * LEASE_MS);
    for (let at = 1; at < scene.pods.length; at++) expect(scene.pods[at]?.running.size).toBe(0);
    expect(scene.running).toBeGreaterThanOrEqual(Math.max(1, maxConcurrent - scene.pods.length));
    expect(scene.most).toBeLessThanOrEqual(maxConcurrent);
  });
}

/** Where instances lose each other, each runs what there was at most, and after that all together do. */
function expectEvenSharesBeside(numRuns: number): Promise<void> {
  return expectOf(numRuns, trouble, async (scene, maxConcurrent, steps) => {
    for (const each of steps) {
      await scene.take(each);
      // Any of them may be cut off, and there were fewer when it heard of the others last.
      expect(scene.running).toBeLessThanOrEqual(maxConcurrent * scene.pods.length);
    }
    for (const { link } of scene.pods) {
      link.slowMs = 0;
      await link.mend();
    }
    for (let at = 0; at < scene.pods.length; at++)
      for (let made = 0; made < 9; made++) scene.call(at);
    for (let beat = 0; beat < 12; beat++) {
      await elapse(BEAT_MS);
      for (let at = 0; at < scene.pods.length; at++) scene.end(at, 1);
      await flush();
    }
    expect(scene.running).toBeLessThanOrEqual(maxConcurrent);
  });
}

function expectOf(
  numRuns: number,
  each: fc.Arbitrary<Step>,
  expectation: (scene: SlotsScene, maxConcurrent: number, steps: Step[]) => Promise<void>,
): Promise<void> {
  return fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(each, { minLength: 20, maxLength: 80 }),
      async (maxConcurrent, count, steps) => {
        const scene = new SlotsScene(maxConcurrent);
        try {
          for (let made = 0; made < count; made++) await scene.start();
          await expectation(scene, maxConcurrent, steps);
        } finally {
          scene.over();
        }
      },
    ),
    { numRuns },
  );
}

/**
 * What holds for bulkheads that instances share.
 *
 * @param runs so many histories
 * @param timeoutMs so long it may look for a shorter example where one fails
 */
export function describeSharedBulkheads(what: string, runs: number, timeoutMs: number): void {
  describe(what, () => {
    beforeEach(() => {
      jest.useFakeTimers({ now: 0 });
    });
    afterEach(() => {
      jest.useRealTimers();
    });

    it(
      'never lets more run than there are slots while they hear of each other, and all slots come back',
      () => expectNoMoreThanSlots(runs),
      timeoutMs,
    );

    it(
      'lets each run no more than its even share beside where they lose each other',
      () => expectEvenSharesBeside(runs),
      timeoutMs,
    );
  });
}
