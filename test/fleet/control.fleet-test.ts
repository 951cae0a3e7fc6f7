import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { Redis as Client } from 'ioredis';
import {
  Chaos,
  CircuitBreakerRegistry,
  InMemoryMetrics,
  ResilienceEvents,
  ResilienceModule,
  type ResilienceModuleOptions,
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
  await admin.flushall();
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
  admin.disconnect();
});
afterAll(() => redis.stop());

class Instance {
  private constructor(
    private readonly module: TestingModule,
    readonly client: Client,
  ) {}

  static async start(options: ResilienceModuleOptions = {}): Promise<Instance> {
    const client = new Client({ ...redis.connection, lazyConnect: true });
    const fleet = new RedisFleet({ client, namespace: 'shop' });
    const module = await Test.createTestingModule({
      imports: [ResilienceModule.forRoot({ breakers: { payments: {} }, ...options, fleet })],
    })
      .setLogger(new RecordingLogger())
      .compile();
    const app = new Instance(module, client);
    ended.push(
      () => client.disconnect(),
      () => module.close(),
    );
    await module.init();
    return app;
  }

  get breakers(): CircuitBreakerRegistry {
    return this.module.get(CircuitBreakerRegistry);
  }

  get chaos(): Chaos {
    return this.module.get(Chaos);
  }

  get state(): string {
    return this.breakers.get('payments').getState();
  }

  get refused(): number {
    const series = this.module.get(InMemoryMetrics).snapshot();
    return JSON.stringify(series).includes('fleet.refused') ? 1 : 0;
  }

  /** Waits for what comes of the events of this instance. */
  async until(holds: () => boolean): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve) => {
      const subscription = this.module.get(ResilienceEvents).events$.subscribe(() => {
        if (!holds()) return;
        subscription.unsubscribe();
        resolve();
      });
    });
  }

  close(): Promise<void> {
    return this.module.close();
  }
}

describe('Orders over a Redis', () => {
  it('force a breaker open in all instances, also in one that starts later', async () => {
    const one = await Instance.start();
    const other = await Instance.start();
    one.breakers.get('payments').forceOpen({ fleet: true });
    await other.until(() => other.state === 'FORCED_OPEN');
    const late = await Instance.start();
    expect(late.state).toBe('FORCED_OPEN');
    late.breakers.get('payments').reset({ fleet: true });
    await other.until(() => other.state === 'CLOSED');
    await one.until(() => one.state === 'CLOSED');
    expect((await Instance.start()).state).toBe('CLOSED');
  });
});
