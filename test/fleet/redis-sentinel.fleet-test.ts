import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis as Redis6 } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createSentinel } from 'redis';
import type { RedisClient } from '../../lib/redis/index.js';
import { startRedis } from '../support/redis.js';
import { FleetSide } from './fleet-side.js';
import { type Sentinel, startReplica, startSentinel } from './harness/topologies.js';

const host = '127.0.0.1';
let sentinel: Sentinel;
const ended: (() => Promise<unknown>)[] = [];
const sides: FleetSide[] = [];

beforeAll(async () => {
  const master = await startRedis();
  ended.push(() => master.stop());
  const replica = await startReplica(master);
  ended.push(() => replica.stop());
  sentinel = await startSentinel(master);
  ended.push(() => sentinel.stop());
});
afterEach(() => Promise.all(sides.splice(0).map((side) => side.close())));
afterAll(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const lazily = { lazyConnect: true };
const sentinels = () => [{ host, port: sentinel.port }];
const CLIENTS: Record<string, () => RedisClient> = {
  'ioredis 6': () => new Redis6({ sentinels: sentinels(), name: 'shop', ...lazily }),
  'ioredis 5': () => new Redis5({ sentinels: sentinels(), name: 'shop', ...lazily }),
  'node-redis 6': () => createSentinel({ name: 'shop', sentinelRootNodes: sentinels() }),
};

test.each(Object.entries(CLIENTS))(
  'Instances share by the server that Sentinel tells over %s',
  async (name, make) => {
    const pair = [0, 1].map(() => new FleetSide({ client: make(), namespace: name }));
    sides.push(...pair);
    const [one, other] = pair as [FleetSide, FleetSide];
    await Promise.all([one.up(), other.up()]);
    const heard = other.verdict('payments');
    await one.open('payments');
    expect(await heard).toMatchObject({ isOpen: true });
    expect([one.reasons, other.reasons]).toEqual([[], []]);
  },
);
