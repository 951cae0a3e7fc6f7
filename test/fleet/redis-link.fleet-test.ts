import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Redis6 } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient as createClient6 } from 'redis';
import { createClient as createClient5 } from 'redis5';
import type { FleetLink, FleetMember } from '../../lib/index.js';
import { RedisFleet } from '../../lib/redis/index.js';
import { type Redis, startRedis } from '../support/redis.js';

interface Told {
  up?: (() => void) | undefined;
  down?: (() => void) | undefined;
}

let redis: Redis;
const opened: FleetLink[] = [];
const ended: (() => unknown)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  for (const link of opened.splice(0)) await link.close();
  for (const end of ended.splice(0)) await end();
});

afterAll(() => redis.stop());

function linked(client: object, told: Told, instance = 'here'): FleetLink {
  const member: FleetMember = {
    instance,
    sync: () => Promise.resolve(),
    changed: (isUp) => (isUp ? told.up?.() : told.down?.()),
    refused: () => undefined,
    unanswered: () => undefined,
  };
  const link = new RedisFleet({ client, namespace: 'shop' }).link(member);
  opened.push(link);
  return link;
}

const clients = {
  'ioredis 6': () => {
    const client = new Redis6({ ...redis.connection, lazyConnect: true });
    ended.push(() => client.disconnect());
    return client;
  },
  'ioredis 5': () => {
    const client = new Redis5({ ...redis.connection, lazyConnect: true });
    ended.push(() => client.disconnect());
    return client;
  },
  'node-redis 6': () => createClient6({ socket: redis.connection }),
  'node-redis 5': () => createClient5({ socket: redis.connection }),
};

describe.each(Object.entries(clients))('Over %s', (_name, make) => {
  test('a link goes up, and counts the instances that are there', async () => {
    const told: Told = {};
    const isUp = new Promise<void>((resolve) => {
      told.up = resolve;
    });
    const link = linked(make(), told);
    link.open();
    await isUp;
    expect(link.isUp).toBe(true);
    expect(link.instances).toBe(1);
  });
});
