import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  BulkheadPolicy,
  CircuitBreakerOpenError,
  type CircuitBreakerOptions,
} from '../../lib/index.js';
import {
  type FleetInstance,
  reasonsOf,
  SharedDependency,
  statesOf,
} from '../support/fleet-instance.js';
import { settled } from '../support/memory-fleet.js';

const OPTIONS = { failureThreshold: 1, successThreshold: 2, timeoutMs: 1_000 };

describe('The probes of a circuit breaker that instances share', () => {
  let payments: SharedDependency;

  beforeEach(() => {
    jest.useFakeTimers();
    payments = new SharedDependency(OPTIONS);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  /** Instances whose breaker has just been opened by all of them. */
  async function opened(count: number, options?: CircuitBreakerOptions) {
    const instances = await payments.startMany(count, options);
    await payments.callAll(instances.slice(0, 2));
    expect(new Set(statesOf(instances))).toEqual(new Set(['OPEN']));
    payments.reached = 0;
    return instances;
  }

  /** The same when its time has passed. */
  async function halfOpen(count: number, options?: CircuitBreakerOptions) {
    const instances = await opened(count, options);
    await wait(1_000);
    return instances;
  }

  const running = () => payments.hub.boards.verdicts.store.running('payments', Date.now());

  /** A call that goes on until it is told how it ends. */
  function longCall({ breaker }: FleetInstance) {
    let end: { resolve: (value: unknown) => void; reject: (error: unknown) => void } | undefined;
    const ended = breaker
      .execute(() => {
        payments.reached++;
        return new Promise((resolve, reject) => {
          end = { resolve, reject };
        });
      })
      .catch((error: unknown) => error);
    return {
      ended,
      succeed: () => end?.resolve('up'),
      fail: (error: unknown) => end?.reject(error),
    };
  }

  it('are as many as one instance would let through, and close it for all', async () => {
    const instances = await halfOpen(5);
    payments.isDown = false;
    const results = await payments.callAll(instances);
    expect(payments.reached).toBe(2);
    expect(results.filter((each) => each === 'up')).toHaveLength(2);
    expect(new Set(statesOf(instances))).toEqual(new Set(['CLOSED']));
    expect(reasonsOf(instances.at(-1) as FleetInstance).at(-1)).toBe('fleet-closed');
  });

  it('open it for all again where one fails', async () => {
    const instances = await halfOpen(5);
    await payments.call(instances[2]);
    await settled();
    expect(new Set(statesOf(instances))).toEqual(new Set(['OPEN']));
    expect(reasonsOf(instances[2]).at(-1)).toBe('probe-failed');
    expect(instances[0].breaker.getSnapshot().retryAfterMs).toBe(1_000);
  });

  it('have it open for longer each time that they fail, whoever makes them', async () => {
    const instances = await halfOpen(3, { timeoutFactor: 2, maxTimeoutMs: 5_000 });
    const times = [];
    for (const instance of [...instances, ...instances]) {
      await payments.call(instance);
      await settled();
      times.push(instances.map(({ breaker }) => breaker.getSnapshot().retryAfterMs));
      await wait(5_000);
    }
    const all = [2_000, 4_000, 5_000, 5_000, 5_000, 5_000];
    expect(times).toEqual(all.map((ms) => [ms, ms, ms]));
  });

  it('are drawn apart by jitter, for all alike', async () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.25);
    const instances = await opened(3, { timeoutJitter: 0.2 });
    expect(instances.map(({ breaker }) => breaker.getSnapshot().retryAfterMs)).toEqual([
      900, 900, 900,
    ]);
    random.mockRestore();
  });

  it('are first those of others, where the last one of an instance has failed', async () => {
    const [one, two] = await halfOpen(2);
    await payments.call(one);
    await wait(1_000);
    payments.isDown = false;
    payments.reached = 0;
    const rejected = await payments.call(one);
    expect(rejected).toBeInstanceOf(CircuitBreakerOpenError);
    expect(rejected).toMatchObject({ retryAfterMs: 500 });
    expect(await payments.call(two)).toBe('up');
    await wait(500);
    expect(await payments.call(one)).toBe('up');
    await settled();
    expect(statesOf([one, two])).toEqual(['CLOSED', 'CLOSED']);
  });

  it('are asked for by one call of an instance at a time, and the others are rejected at once', async () => {
    const [one] = await halfOpen(2);
    payments.hub.isHolding = true;
    const first = payments.call(one);
    expect(await payments.call(one)).toBeInstanceOf(CircuitBreakerOpenError);
    payments.isDown = false;
    await payments.hub.deliverAll();
    expect(await first).toBe('up');
  });

  it('are not asked for again until it is worth it, or something has been decided', async () => {
    const [one, two, three] = await halfOpen(3, { successThreshold: 1 });
    const probe = longCall(one);
    await settled();
    const questions = jest.spyOn(three.link.verdicts, 'lease');
    expect(await payments.call(three)).toMatchObject({ retryAfterMs: 250 });
    await wait(100);
    expect(await payments.call(three)).toMatchObject({ retryAfterMs: 150 });
    expect(questions).toHaveBeenCalledTimes(1);
    await wait(150);
    await payments.call(three);
    expect(questions).toHaveBeenCalledTimes(2);
    payments.isDown = false;
    probe.succeed();
    await settled();
    expect(await payments.callAll([two, three])).toEqual(['up', 'up']);
  });

  it('make room for others where they do not end in time', async () => {
    const [one, two] = await halfOpen(2, { halfOpenMaxCalls: 1 });
    longCall(one);
    await settled();
    await payments.call(two);
    expect(payments.reached).toBe(1);
    await wait(1_000);
    await payments.call(two);
    expect(payments.reached).toBe(2);
  });

  it('count also where they end late', async () => {
    const [one, two] = await halfOpen(2, { successThreshold: 1 });
    const probe = longCall(one);
    await wait(1_500);
    probe.succeed();
    await settled();
    expect(statesOf([one, two])).toEqual(['CLOSED', 'CLOSED']);
  });

  it('count for nothing where it was decided otherwise meanwhile', async () => {
    const [one, two] = await halfOpen(2);
    const probe = longCall(one);
    await settled();
    await payments.call(two);
    await settled();
    probe.succeed();
    await settled();
    expect(statesOf([one, two])).toEqual(['OPEN', 'OPEN']);
    expect(payments.hub.boards.verdicts.store.read('payments', Date.now()).isOpen).toBe(true);
  });

  it('give their permit back where they say nothing of the dependency', async () => {
    const [one, two] = await halfOpen(2, {
      halfOpenMaxCalls: 1,
      isFailure: (error) => (error as Error).message === 'down',
    });
    const bulkhead = new BulkheadPolicy('payments', { maxConcurrent: 1, queueLimit: 0 });
    void bulkhead.execute(() => new Promise(() => undefined));
    const inside = () => bulkhead.execute(async () => 'up');
    await one.breaker.execute(inside).catch(() => undefined);
    await settled();
    expect(running()).toBe(0);
    const given = longCall(one);
    await settled();
    expect(running()).toBe(1);
    given.fail(new DOMException('gave up', 'AbortError'));
    await settled();
    expect(running()).toBe(0);
    expect(statesOf([one, two])).toEqual(['HALF_OPEN', 'OPEN']);
  });

  it('give their permit back where the application ends, or somebody forces the breaker', async () => {
    const [one, two] = await halfOpen(2);
    longCall(one);
    longCall(two);
    await settled();
    expect(running()).toBe(2);
    one.breaker.forceOpen();
    await settled();
    expect(running()).toBe(1);
    await two.membership.end();
    expect(running()).toBe(0);
  });

  it('need no permit inside of another one', async () => {
    const [one] = await halfOpen(2, { successThreshold: 1 });
    const { breaker } = one;
    const nested = breaker.execute(() => breaker.execute(async () => 'up'));
    expect(await nested).toBe('up');
    await settled();
    expect(breaker.getState()).toBe('CLOSED');
  });

  it('let calls back by and by in each instance, where it ramps up', async () => {
    const instances = await halfOpen(3, { successThreshold: 1, rampUpMs: 10_000 });
    payments.isDown = false;
    await payments.call(instances[0]);
    await settled();
    await wait(5_000);
    const shares = instances.map(({ breaker }) => breaker.getSnapshot().rampUpShare);
    for (const share of shares) expect(share).toBeCloseTo(0.55, 1);
  });

  describe('whose store does not answer', () => {
    it('are those of an instance alone, which are begun in time', async () => {
      const [one, two] = await halfOpen(2);
      for (const { link } of [one, two]) link.slowMs = 10_000;
      payments.isDown = false;
      const result = payments.call(one);
      await wait(99);
      expect(payments.reached).toBe(0);
      await wait(1);
      expect(await result).toBe('up');
      const next = payments.call(one);
      await wait(100);
      expect(await next).toBe('up');
      expect(reasonsOf(one).slice(-2)).toEqual(['open-time-passed', 'probes-succeeded']);
    });

    it('are begun at once where it is known that it is not reached', async () => {
      const [one] = await halfOpen(2);
      one.link.cut();
      payments.isDown = false;
      await payments.callTimes(one, 2);
      expect(one.breaker.getState()).toBe('CLOSED');
    });

    it('give back a permit that comes too late', async () => {
      const [one] = await halfOpen(2);
      one.link.slowMs = 60;
      void payments.call(one);
      await wait(100);
      expect(payments.reached).toBe(1);
      await wait(200);
      expect(running()).toBe(0);
    });

    it('count by themselves where their success is not heard', async () => {
      const [one] = await halfOpen(2, { successThreshold: 1 });
      const probe = longCall(one);
      await settled();
      one.link.cut();
      probe.succeed();
      await settled();
      expect(reasonsOf(one).at(-1)).toBe('probes-succeeded');
    });

    it('are those of each instance alone where it has lost everything, until they open it again', async () => {
      const instances = await halfOpen(3);
      payments.hub.clear();
      await payments.callAll(instances);
      expect(payments.reached).toBe(3);
      await wait(1_000);
      payments.reached = 0;
      payments.isDown = false;
      await payments.callAll(instances);
      expect(payments.reached).toBe(2);
      expect(new Set(statesOf(instances))).toEqual(new Set(['CLOSED']));
    });
  });
});
