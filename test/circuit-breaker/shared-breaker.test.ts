import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { CircuitBreakerOpenError, CircuitBreakerPolicy } from '../../lib/index.js';
import {
  type FleetInstance,
  reasonsOf,
  SharedDependency,
  statesOf,
} from '../support/fleet-instance.js';
import { settled } from '../support/memory-fleet.js';

const OPTIONS = { failureThreshold: 3, successThreshold: 2, timeoutMs: 1_000 };

describe('A circuit breaker that instances share', () => {
  let payments: SharedDependency;

  beforeEach(() => {
    jest.useFakeTimers();
    payments = new SharedDependency(OPTIONS);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);
  const fail = (instance: FleetInstance) => payments.callTimes(instance, 3);

  describe('that opens', () => {
    it('does so in all instances when a quorum has by itself, and in none before', async () => {
      const instances = await payments.startMany(3);
      const [one, two, three] = instances;
      await fail(one);
      expect(statesOf(instances)).toEqual(['OPEN', 'CLOSED', 'CLOSED']);
      await fail(two);
      expect(statesOf(instances)).toEqual(['OPEN', 'OPEN', 'OPEN']);
      expect(three.events).toMatchObject([
        {
          type: 'circuit-state',
          from: 'CLOSED',
          to: 'OPEN',
          reason: 'fleet-opened',
          retryAfterMs: 1_000,
        },
      ]);
    });

    it('takes as many as its own quorum, and where it says none as many as that of the fleet', async () => {
      const [one, two] = await payments.startMany(2, { shared: { quorum: 1 } });
      await fail(one);
      expect(statesOf([one, two])).toEqual(['OPEN', 'OPEN']);

      const orders = new SharedDependency(OPTIONS);
      const ofThree = [];
      for (let i = 0; i < 4; i++) ofThree.push(await orders.start({}, { quorum: 3 }));
      const [first, second, third] = ofThree as [FleetInstance, FleetInstance, FleetInstance];
      await orders.callTimes(first, 3);
      await orders.callTimes(second, 3);
      expect(statesOf(ofThree)).toEqual(['OPEN', 'OPEN', 'CLOSED', 'CLOSED']);
      await orders.callTimes(third, 3);
      expect(statesOf(ofThree)).toEqual(['OPEN', 'OPEN', 'OPEN', 'OPEN']);
    });

    it('counts only those that are open at the same time', async () => {
      const [one, two, three] = await payments.startMany(3);
      await fail(one);
      await wait(1_000);
      await fail(two);
      expect(three.breaker.getState()).toBe('CLOSED');
    });

    it('counts an instance once, however often it opens', async () => {
      const [one, two] = await payments.startMany(2);
      await fail(one);
      one.breaker.reset();
      await fail(one);
      expect(two.breaker.getState()).toBe('CLOSED');
    });

    it('rejects with how long it stays open, and by no error of another instance', async () => {
      const [one, two, three] = await payments.startMany(3);
      await fail(one);
      await fail(two);
      await wait(400);
      const error = (await payments.call(three)) as CircuitBreakerOpenError;
      expect(error).toBeInstanceOf(CircuitBreakerOpenError);
      expect(error.retryAfterMs).toBe(600);
      expect(error.cause).toBeUndefined();
      expect(await payments.call(one)).toMatchObject({ cause: new Error('down') });
      expect(three.breaker.getSnapshot()).toMatchObject({ state: 'OPEN', retryAfterMs: 600 });
    });

    it('stays open for no longer than its own options allow', async () => {
      const long = await payments.start({ timeoutMs: 60_000, shared: { quorum: 1 } });
      const short = await payments.start({ maxTimeoutMs: 5_000 });
      await fail(long);
      expect(short.breaker.getSnapshot().retryAfterMs).toBe(5_000);
    });

    it('is so in an instance that starts then, before its first call', async () => {
      const [one, two] = await payments.startMany(2);
      await fail(one);
      await fail(two);
      payments.reached = 0;
      const late = await payments.start();
      expect(await payments.call(late)).toBeInstanceOf(CircuitBreakerOpenError);
      expect(payments.reached).toBe(0);
    });
  });

  describe('below its quorum', () => {
    it('recovers by its own probes, and the others do not hear of it', async () => {
      const [one, two, three] = await payments.startMany(3);
      await fail(one);
      await wait(1_000);
      payments.isDown = false;
      await payments.callTimes(one, 2);
      expect(reasonsOf(one)).toEqual(['failure-threshold', 'open-time-passed', 'probes-succeeded']);
      expect([...two.events, ...three.events]).toEqual([]);
    });

    it('is in a fleet of one, or of less than the quorum, as if it was not shared', async () => {
      const [one, two] = await payments.startMany(2, { shared: { quorum: 3 }, timeoutFactor: 2 });
      const alone = {
        breaker: new CircuitBreakerPolicy('payments', { ...OPTIONS, timeoutFactor: 2 }),
      };
      const all = [one, two, { ...one, ...alone }];
      for (let step = 0; step < 60; step++) {
        payments.isDown = step < 25;
        await payments.callAll(all);
        await wait(100);
        const [first, ...others] = all.map(({ breaker }) => {
          const { openedAt: _, ...snapshot } = breaker.getSnapshot();
          return snapshot;
        });
        for (const other of others) expect(other).toEqual(first);
      }
      expect(one.breaker.getState()).toBe('CLOSED');
    });

    it('is not closed by the others, which have not seen what it has', async () => {
      const [one, two, three] = await payments.startMany(3, { timeoutMs: 1_000 });
      await fail(one);
      await fail(two);
      await wait(1_000);
      three.link.cut();
      payments.isDown = false;
      await payments.callAll([one, two]);
      await three.link.mend();
      expect(three.breaker.getState()).toBe('CLOSED');
      three.link.cut();
      payments.isDown = true;
      await fail(three);
      payments.isDown = false;
      await three.link.mend();
      expect(three.breaker.getState()).toBe('OPEN');
    });
  });

  describe('that somebody has forced', () => {
    it('stays so, whatever the others decide, and goes along with them after its reset', async () => {
      const [one, two, ...forced] = await payments.startMany(4);
      forced[0].breaker.forceOpen();
      forced[1]?.breaker.disable();
      await fail(one);
      await fail(two);
      expect(statesOf(forced)).toEqual(['FORCED_OPEN', 'DISABLED']);
      for (const { breaker } of forced) breaker.reset();
      await settled();
      expect(statesOf(forced)).toEqual(['OPEN', 'OPEN']);
    });

    it('does not open again by what was decided before it was reset by hand', async () => {
      const [one, two, three] = await payments.startMany(3);
      await fail(one);
      await fail(two);
      three.breaker.reset();
      await settled();
      expect(three.breaker.getState()).toBe('CLOSED');
      three.link.cut();
      await three.link.mend();
      expect(three.breaker.getState()).toBe('CLOSED');
    });
  });

  describe('whose store is not reached', () => {
    it('goes on by itself, and says when it is reached again that it is open', async () => {
      const [one, two, three] = await payments.startMany(3);
      for (const { link } of [one, two]) link.cut();
      await fail(one);
      await fail(two);
      expect(statesOf([one, two, three])).toEqual(['OPEN', 'OPEN', 'CLOSED']);
      await one.link.mend();
      expect(three.breaker.getState()).toBe('CLOSED');
      await two.link.mend();
      expect(statesOf([one, two, three])).toEqual(['OPEN', 'OPEN', 'OPEN']);
    });

    it('does not say so when its time is over', async () => {
      const [one, two, three] = await payments.startMany(3);
      one.link.cut();
      await fail(one);
      await wait(1_000);
      await one.link.mend();
      await fail(two);
      expect(three.breaker.getState()).toBe('CLOSED');
    });

    it('hears what was decided meanwhile when it is reached again', async () => {
      const [one, two, three] = await payments.startMany(3);
      three.link.cut();
      await fail(one);
      await fail(two);
      expect(three.breaker.getState()).toBe('CLOSED');
      await three.link.mend();
      expect(three.breaker.getState()).toBe('OPEN');
    });

    it('ignores votes of a time that is over', async () => {
      const [one, two, three] = await payments.startMany(3);
      payments.hub.isHolding = true;
      await fail(one);
      await fail(two);
      await wait(600);
      await payments.hub.deliverAll();
      expect(three.breaker.getState()).toBe('CLOSED');
    });
  });

  it('hears the same and older verdicts without a change', async () => {
    const [one, two, three] = await payments.startMany(3);
    payments.hub.isHolding = true;
    await fail(one);
    await fail(two);
    const { hub } = payments;
    const next = (kind: string) => hub.parcels.findIndex((each) => each.kind === kind);
    while (next('question') >= 0) hub.deliver(next('question'));
    const toThree = hub.parcels.findIndex(
      (each) => each.kind === 'message' && each.link === three.link,
    );
    hub.double(toThree);
    hub.double(toThree);
    await wait(300);
    hub.deliver(toThree);
    expect(reasonsOf(three)).toEqual(['fleet-opened']);
    expect(three.breaker.getSnapshot().retryAfterMs).toBe(700);
  });

  it('costs no question and no look at the fleet while it is closed', async () => {
    const one = await payments.start();
    payments.isDown = false;
    const { hub } = payments;
    hub.isHolding = true;
    let looks = 0;
    const shared: unknown = Reflect.get(one.breaker, 'shared');
    Object.defineProperty(one.breaker, 'shared', {
      get: () => {
        looks++;
        return shared;
      },
    });
    await payments.callTimes(one, 100);
    payments.isDown = true;
    await payments.call(one);
    expect(looks).toBe(0);
    expect(hub.parcels).toEqual([]);
  });

  it('takes no part any more when it is used no more', async () => {
    const [one, two, three] = await payments.startMany(3);
    three.breaker.dispose();
    await fail(one);
    await fail(two);
    expect(three.breaker.getState()).toBe('CLOSED');
  });

  it('keeps to its open time where a test changes the clock', async () => {
    const [one, two] = await payments.startMany(2);
    await fail(one);
    await fail(two);
    await wait(400);
    jest.useRealTimers();
    jest.useFakeTimers();
    expect(await payments.call(one)).toMatchObject({ retryAfterMs: 1_000 });
    await wait(1_000);
    payments.isDown = false;
    expect(await payments.call(one)).toBe('up');
  });
});
