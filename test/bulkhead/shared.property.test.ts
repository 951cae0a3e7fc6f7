import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { BulkheadPolicy } from '../../lib/bulkhead/bulkhead.policy.js';
import { MemoryFleet } from '../support/memory-fleet.js';
import { memoryInstance } from '../support/memory-instance.js';
import { Deferred, elapse, flush, watch } from '../support/resilience-app.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const LEASE_MS = 3_000;

const pod = fc.nat(4);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ pod, calls: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 8, arbitrary: fc.record({ pod, ends: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 8, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 1_500 }) }) },
  { weight: 2, arbitrary: fc.record({ pod, slowMs: fc.constantFrom(0, 1, 20, 120, 200) }) },
  { weight: 2, arbitrary: fc.record({ pod, doubles: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ pod, loses: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ pod, crashes: fc.constant(true) }) },
  { weight: 1, arbitrary: fc.record({ starts: fc.constant(true) }) },
);
const trouble = fc.oneof(
  { weight: 8, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ pod, cuts: fc.boolean() }) },
);
type Step = typeof trouble extends fc.Arbitrary<infer Each> ? Each : never;

/** Instances that come and go, with calls that run until they are ended. */
class Scene {
  readonly hub = new MemoryFleet();
  private readonly policies: BulkheadPolicy[] = [];
  readonly pods: {
    link: Awaited<ReturnType<typeof memoryInstance>>['link'];
    policy: BulkheadPolicy;
    running: Set<Deferred<number>>;
  }[] = [];

  constructor(private readonly maxConcurrent: number) {}

  async start(): Promise<void> {
    const { link, host } = await memoryInstance(this.hub);
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

  over(): void {
    for (const policy of this.policies) {
      policy.shutdown();
      policy.dispose();
    }
    jest.clearAllTimers();
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
      else if ('cuts' in each) {
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

describe('A bulkhead that instances share', () => {
  it('never lets more run than there are slots while they hear of each other, and all slots come back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { minLength: 20, maxLength: 80 }),
        async (maxConcurrent, count, steps) => {
          const scene = new Scene(maxConcurrent);
          for (let each = 0; each < count; each++) await scene.start();
          for (const each of steps) {
            await scene.take(each);
            expect(scene.running).toBeLessThanOrEqual(maxConcurrent);
          }
          for (const { link } of scene.pods) link.slowMs = 0;
          for (let at = 0; at < scene.pods.length; at++) scene.call(at);
          for (let beat = 0; beat < 60; beat++) {
            await elapse(LEASE_MS / 3);
            for (let at = 0; at < scene.pods.length; at++) scene.end(at, 1_000);
            await flush();
          }
          // One alone gets all of them.
          for (let made = 0; made < 50; made++) scene.call(0);
          await elapse(2 * LEASE_MS);
          for (let at = 1; at < scene.pods.length; at++)
            expect(scene.pods[at]?.running.size).toBe(0);
          expect(scene.running).toBeGreaterThanOrEqual(
            Math.max(1, maxConcurrent - scene.pods.length),
          );
          scene.over();
        },
      ),
      { numRuns: 100 },
    );
  });

  it('lets each run no more than its even share beside where they lose each other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(trouble, { minLength: 20, maxLength: 80 }),
        async (maxConcurrent, count, steps) => {
          const scene = new Scene(maxConcurrent);
          for (let each = 0; each < count; each++) await scene.start();
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
            await elapse(LEASE_MS / 3);
            for (let at = 0; at < scene.pods.length; at++) scene.end(at, 1);
            await flush();
          }
          expect(scene.running).toBeLessThanOrEqual(maxConcurrent);
          scene.over();
        },
      ),
      { numRuns: 100 },
    );
  });
});
