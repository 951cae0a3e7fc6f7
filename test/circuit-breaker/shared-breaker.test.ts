import { jest } from '@jest/globals';
import { CircuitBreakerOpenError, type CircuitBreakerOptions } from '../../lib/index.js';
import { type FleetInstance, startInstance } from '../support/fleet-instance.js';
import { MemoryFleet, settled } from '../support/memory-fleet.js';

const OPTIONS: CircuitBreakerOptions = {
  failureThreshold: 3,
  successThreshold: 2,
  timeoutMs: 1_000,
};

describe('A circuit breaker that instances share', () => {
  let hub: MemoryFleet;
  let isDown: boolean;
  let reached: number;

  beforeEach(() => {
    jest.useFakeTimers();
    hub = new MemoryFleet();
    isDown = true;
    reached = 0;
  });
  afterEach(() => jest.useRealTimers());

  function start(options: CircuitBreakerOptions = {}): Promise<FleetInstance> {
    return startInstance(hub, { ...OPTIONS, ...options });
  }

  async function startMany(count: number, options?: CircuitBreakerOptions) {
    const instances: FleetInstance[] = [];
    for (let i = 0; i < count; i++) instances.push(await start(options));
    return instances as [FleetInstance, FleetInstance, FleetInstance, ...FleetInstance[]];
  }

  /** A call of the dependency. @returns how it ended */
  function call({ breaker }: FleetInstance): Promise<unknown> {
    return breaker
      .execute(async () => {
        reached++;
        if (isDown) throw new Error('down');
        return 'up';
      })
      .catch((error: unknown) => error);
  }

  async function fail(instance: FleetInstance, times = 3): Promise<void> {
    for (let i = 0; i < times; i++) await call(instance);
    await settled();
  }

  const states = (instances: FleetInstance[]) => instances.map(({ breaker }) => breaker.getState());
  const wait = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  it('opens in all when a quorum has opened by itself, and in none before', async () => {
    const [one, two, three] = await startMany(3);
    await fail(one);
    expect(states([one, two, three])).toEqual(['OPEN', 'CLOSED', 'CLOSED']);
    await fail(two);
    expect(states([one, two, three])).toEqual(['OPEN', 'OPEN', 'OPEN']);
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

  it('rejects by an error that has no cause where others have opened it', async () => {
    const [one, two, three] = await startMany(3);
    await fail(one);
    await fail(two);
    await wait(400);
    const error = (await call(three)) as CircuitBreakerOpenError;
    expect(error).toBeInstanceOf(CircuitBreakerOpenError);
    expect(error.retryAfterMs).toBe(600);
    expect(error.cause).toBeUndefined();
    expect(await call(one)).toMatchObject({ cause: new Error('down') });
  });

  it('lets so many probe as one instance would, and closes for all', async () => {
    const instances = await startMany(5);
    await fail(instances[0]);
    await fail(instances[1]);
    await wait(1_000);
    isDown = false;
    reached = 0;
    await Promise.all(instances.map(call));
    await settled();
    expect(reached).toBe(2);
    expect(states(instances)).toEqual(Array(5).fill('CLOSED'));
    expect(instances[4]?.events.at(-1)).toMatchObject({ to: 'CLOSED', reason: 'fleet-closed' });
  });
});
