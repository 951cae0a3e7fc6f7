import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomStream } from '../simulation/random.js';
import { type FleetInstance, SharedDependency, statesOf } from '../support/fleet-instance.js';

const OPTIONS = { failureThreshold: 5, successThreshold: 2, timeoutMs: 1_000 };
/** Of each instance, in a ms. */
const CALLS_PER_MS = 0.05;

describe('An outage, of which many instances learn together', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Independent customers, and a network that takes 1 ms each way. */
  async function play(shared: boolean, count: number, seed: number) {
    const payments = new SharedDependency({ ...OPTIONS, shared });
    const instances = await payments.startMany(count);
    for (const { link } of instances) link.slowMs = 1;
    const random = randomStream(seed, 'customers');
    const goOn = async (ms: number, of: readonly FleetInstance[] = instances) => {
      payments.reached = 0;
      for (let at = 0; at < ms; at++) {
        for (const each of of) if (random() < CALLS_PER_MS) void payments.call(each);
        await jest.advanceTimersByTimeAsync(1);
      }
      return payments.reached;
    };
    return { payments, instances, goOn };
  }

  it('sends a dead dependency much less, and probes it by no more calls than one instance would', async () => {
    const rounds = [1, 2, 3];
    const sums = { shared: 0, unshared: 0 };
    for (const seed of rounds) {
      const together = await play(true, 20, seed);
      sums.shared += await together.goOn(900);
      expect(new Set(statesOf(together.instances))).toEqual(new Set(['OPEN']));
      for (let round = 0; round < 3; round++)
        expect(await together.goOn(1_000)).toBeLessThanOrEqual(OPTIONS.successThreshold);
      const apart = await play(false, 20, seed);
      sums.unshared += await apart.goOn(900);
    }
    expect(sums.unshared).toBeGreaterThanOrEqual(100 * rounds.length);
    expect(sums.shared).toBeLessThanOrEqual(0.6 * sums.unshared);
  });

  it('is over for all at once', async () => {
    const { payments, instances, goOn } = await play(true, 20, 4);
    await goOn(1_500);
    payments.isDown = false;
    await goOn(1_500);
    expect(new Set(statesOf(instances))).toEqual(new Set(['CLOSED']));
  });

  it('of one instance alone costs the others no call', async () => {
    const payments = new SharedDependency(OPTIONS);
    const instances = await payments.startMany(5, { shared: true });
    const [sick, ...healthy] = instances;
    const results: unknown[] = [];
    for (let at = 0; at < 500; at++) {
      payments.isDown = true;
      await payments.call(sick);
      payments.isDown = false;
      results.push(...(await payments.callAll(healthy)));
      await jest.advanceTimersByTimeAsync(20);
    }
    expect(sick.breaker.getState()).toBe('OPEN');
    expect(new Set(results)).toEqual(new Set(['up']));
  });

  it('is known to an instance that starts in it', async () => {
    const { payments, goOn } = await play(true, 5, 5);
    await goOn(900);
    payments.reached = 0;
    const late = await payments.start({ shared: true });
    expect(await goOn(100, [late])).toBe(0);
  });
});
