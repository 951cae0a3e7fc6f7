import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis as Client } from 'ioredis';
import {
  Chaos,
  type ChaosRule,
  CircuitBreakerRegistry,
  type FleetInstance,
  type FleetView,
  ResilienceModule,
  type ResilienceModuleOptions,
  ResilienceService,
} from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import { RecordingLogger } from '../binding/support.js';
import { type Redis, startRedis } from '../support/redis.js';

let redis: Redis;
let admin: Client;
const ended: (() => unknown)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
beforeEach(async () => {
  admin = new Client(redis.connection);
  admin.on('error', () => undefined); // while it is down
  await admin.flushall();
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
  admin.disconnect();
});
afterAll(() => redis.stop());

/** Looked at time and again: not everything that an instance learns is an event. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** An application that shares with others. */
class Instance {
  private constructor(private readonly module: TestingModule) {}

  static async start(options: ResilienceModuleOptions = {}, namespace = 'shop'): Promise<Instance> {
    const client = new Client({ ...redis.connection, lazyConnect: true });
    const fleet = new RedisFleet({ client, namespace, version: '1.4.2' });
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ breakers: { payments: {} }, ...options, fleet })],
    })
      .setLogger(new RecordingLogger())
      .compile();
    ended.push(
      () => client.disconnect(),
      () => module.close(),
    );
    await module.init();
    return new Instance(module);
  }

  get breakers(): CircuitBreakerRegistry {
    return this.module.get(CircuitBreakerRegistry);
  }

  get payments() {
    return this.breakers.get('payments');
  }

  get chaos(): Chaos {
    return this.module.get(Chaos);
  }

  get fleet(): FleetView {
    return this.module.get(ResilienceService).fleet() as FleetView;
  }

  is(state: string): Promise<void> {
    return until(() => this.payments.getState() === state);
  }

  isUp(up: boolean): Promise<void> {
    return until(() => this.fleet.isUp === up);
  }

  /** Looks until it sees what is expected. */
  async sees(expected: (all: FleetInstance[]) => boolean): Promise<FleetInstance[]> {
    let all = await this.fleet.look();
    await until(async () => {
      all = await this.fleet.look();
      return expected(all);
    });
    return all;
  }
}

describe('Orders over a Redis', () => {
  it('force a breaker open in all instances, also in one that starts later', async () => {
    const [one, other] = [await Instance.start(), await Instance.start()];
    one.payments.forceOpen({ fleet: true });
    await other.is('FORCED_OPEN');
    const late = await Instance.start();
    expect(late.payments.getState()).toBe('FORCED_OPEN');
    late.payments.reset({ fleet: true });
    await other.is('CLOSED');
    await one.is('CLOSED');
    expect((await Instance.start()).payments.getState()).toBe('CLOSED');
  });

  it('are of one namespace', async () => {
    const [one, stranger] = [await Instance.start(), await Instance.start({}, 'bank')];
    const other = await Instance.start();
    one.payments.forceOpen({ fleet: true });
    await other.is('FORCED_OPEN');
    expect(stranger.payments.getState()).toBe('CLOSED');
    expect((await Instance.start({}, 'bank')).payments.getState()).toBe('CLOSED');
    expect((await stranger.fleet.look()).length).toBe(1);
  });

  it('of two operators at once end in the same everywhere', async () => {
    const apps = [await Instance.start(), await Instance.start(), await Instance.start()];
    const [one, other] = apps as [Instance, Instance];
    for (let round = 0; round < 8; round++) {
      one.payments.forceOpen({ fleet: true });
      other.payments.disable({ fleet: true });
      await until(() => new Set(apps.map(({ payments }) => payments.getState())).size === 1);
      const late = await Instance.start();
      expect(late.payments.getState()).toBe(one.payments.getState());
      await ended.splice(-1)[0]?.();
      await ended.splice(-1)[0]?.();
    }
  });

  it('are put back where Redis has lost them, when the next instance comes', async () => {
    const one = await Instance.start();
    one.payments.forceOpen({ fleet: true });
    await until(async () => (await admin.keys('*orders*')).length === 1);
    await admin.flushall();
    const late = await Instance.start();
    await late.is('FORCED_OPEN');
    expect((await Instance.start()).payments.getState()).toBe('FORCED_OPEN');
  });

  it('are kept while Redis is dead, and put back when it is there again, empty', async () => {
    const [one, other] = [await Instance.start(), await Instance.start()];
    one.payments.forceOpen({ fleet: true });
    await other.is('FORCED_OPEN');
    const { port } = redis.connection;
    await redis.stop();
    await one.isUp(false);
    await other.isUp(false);
    expect(other.payments.getState()).toBe('FORCED_OPEN');
    one.payments.disable({ fleet: true }); // which nobody hears now
    redis = await startRedis({ port });
    await other.is('DISABLED');
    expect((await Instance.start()).payments.getState()).toBe('DISABLED');
  });

  it('end chaos everywhere, but not that of an instance that starts later', async () => {
    const rule: ChaosRule = { operations: '*', error: true };
    const options = { chaos: { rules: [rule] } };
    const [one, other] = [await Instance.start(options), await Instance.start(options)];
    one.chaos.stopAll({ fleet: true });
    await until(() => !other.chaos.isOn);
    const late = await Instance.start(options);
    await late.isUp(true);
    expect(late.chaos.isOn).toBe(true);
  });

  it('do no harm where somebody has written something else in their place', async () => {
    const [one, other] = [await Instance.start(), await Instance.start()];
    one.payments.forceOpen({ fleet: true });
    await other.is('FORCED_OPEN');
    const [key] = (await admin.keys('*orders*')) as [string];
    await admin.del(key);
    await admin.set(key, 'something else');
    const late = await Instance.start();
    one.payments.disable({ fleet: true });
    await late.isUp(true);
    expect(late.payments.getState()).toBe('CLOSED');
    expect(one.payments.getState()).toBe('DISABLED');
    await admin.del(key);
    await other.is('DISABLED'); // it is told again until it is taken
    await late.is('DISABLED');
  });
});

describe('What instances show over a Redis', () => {
  it('is written only while somebody looks, and gone when they are', async () => {
    const [one, other] = [await Instance.start(), await Instance.start()];
    await one.isUp(true);
    expect(await admin.keys('*snapshots*')).toEqual([]);
    other.payments.forceOpen();
    const all = await one.sees(({ length }) => length === 2);
    expect(all[1]).toMatchObject({
      version: '1.4.2',
      chaos: false,
      instance: other.fleet.instance,
    });
    expect(all[1]?.policies).toEqual([
      { section: 'breakers', name: 'payments', state: 'FORCED_OPEN', status: 'degraded' },
    ]);
    await ended.splice(-1)[0]?.();
    await one.sees(({ length }) => length === 1);
  });

  it('is not believed where somebody has written something else', async () => {
    const one = await Instance.start();
    await one.fleet.look();
    await until(async () => (await admin.keys('*snapshots*shown')).length === 1);
    const [key] = (await admin.keys('*snapshots*shown')) as [string];
    const now = Date.now();
    await admin.hset(key, {
      text: 'text',
      json: `${now}\n{`,
      form: `${now}\n{"library":"1"}`,
      long: `${now}\n"${'x'.repeat(1_000_000)}"`,
      future: `${now + 1_000_000}\n{"library":"<b>1</b>","upMs":1,"chaos":false,"policies":[]}`,
    });
    const all = await one.fleet.look();
    expect(all.map(({ instance }) => instance)).toEqual([one.fleet.instance, 'future']);
    await admin.del(key);
    await admin.set(key, 'something else');
    expect((await one.fleet.look()).length).toBe(1);
    await one.isUp(true);
  });
});
