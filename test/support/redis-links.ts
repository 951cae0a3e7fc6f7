import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { FleetLink } from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import { type Redis, startRedis } from './redis.js';

/** Links of instances to one fleet, over a Redis of the test's own, which is empty for each test. */
export interface RedisLinks {
  readonly client: Client;
  /** @param refused is told what was not believed */
  linked(instance: string, refused?: string[]): Promise<FleetLink>;
}

export function redisLinks(): RedisLinks {
  let redis: Redis;
  let client: Client;
  const opened: FleetLink[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    client = new Client({ ...redis.connection, lazyConnect: true });
  });
  afterEach(async () => {
    for (const link of opened.splice(0)) await link.close();
    await client.flushall();
  });
  afterAll(async () => {
    client.disconnect();
    await redis.stop();
  });

  async function linked(instance: string, refused: string[] = []): Promise<FleetLink> {
    let up: () => void = () => undefined;
    const isUp = new Promise<void>((resolve) => {
      up = resolve;
    });
    const link = new RedisFleet({ client, namespace: 'shop' }).link({
      instance,
      sync: async () => undefined,
      changed: up,
      refused: (what) => void refused.push(what),
      unanswered: () => undefined,
    });
    opened.push(link);
    link.open();
    await isUp;
    return link;
  }

  return {
    get client() {
      return client;
    },
    linked,
  };
}
