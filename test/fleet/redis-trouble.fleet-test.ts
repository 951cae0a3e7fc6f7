import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { RedisFleetOptions } from '../../lib/redis/index.js';
import { freePort } from '../support/free-port.js';
import { type Redis, startRedis } from '../support/redis.js';
import { CLIENTS } from './clients.js';
import { FleetSide } from './fleet-side.js';

const ended: (() => unknown)[] = [];
let namespaces = 0;

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function server(settings: Record<string, string | number> = {}): Promise<Redis> {
  const redis = await startRedis(settings);
  ended.push(() => redis.stop());
  return redis;
}

function adminOf({ connection }: Pick<Redis, 'connection'>): Client {
  const admin = new Client(connection);
  ended.push(() => admin.disconnect());
  return admin;
}

function sideOf(
  name: string,
  redis: Pick<Redis, 'connection'>,
  options: Partial<RedisFleetOptions> = {},
): FleetSide {
  const client = CLIENTS[name]?.make([redis]) as RedisFleetOptions['client'];
  const namespace = `trouble ${namespaces++}`;
  const side = new FleetSide({ client, namespace, heartbeatMs: 250, ...options });
  ended.push(() => side.close());
  return side;
}

const SAME = { namespace: 'of two' };
const SINGLE = Object.keys(CLIENTS).filter((name) => CLIENTS[name]?.isCluster === false);

describe.each(SINGLE)('Over %s', (name) => {
  test('a Redis that is not there yet is reached when it is', async () => {
    const connection = { host: '127.0.0.1', port: await freePort() };
    const side = sideOf(name, { connection });
    const isDown = side.down();
    side.link.open();
    await isDown;
    expect(side.reasons[0]).toContain('ECONNREFUSED');
    expect(await side.open('payments')).toBeUndefined();
    await server({ port: connection.port });
    await side.until(() => side.link.isUp);
    expect(side.reasons).toHaveLength(1);
    expect(await side.open('payments')).toMatchObject({ isOpen: true });
  });

  test('a Redis that was killed, and is there again with nothing in it, is reached again', async () => {
    const first = await server();
    const side = sideOf(name, first);
    await side.up();
    const isDown = side.down();
    first.signal('SIGKILL');
    await isDown;
    await first.stop();
    await server({ port: first.connection.port });
    await side.until(() => side.link.isUp);
    expect(side.syncs).toBe(2);
  });

  test('a Redis that stands still is lost within seconds, and what is asked meanwhile has no answer', async () => {
    const redis = await server();
    const side = sideOf(name, redis);
    await side.up();
    const isDown = side.down();
    redis.signal('SIGSTOP');
    const asked = side.open('payments');
    await isDown;
    expect(side.reasons[0]).toMatch(/no answer within 250 ms|does not arrive/);
    expect(await asked).toBeUndefined();
    redis.signal('SIGCONT');
    await side.until(() => side.link.isUp);
    expect(await side.link.verdicts.read('payments')).not.toMatchObject({ isOpen: true });
  });

  test('a Redis that takes no writes any more is lost', async () => {
    const [redis, other] = await Promise.all([server(), server()]);
    const side = sideOf(name, redis);
    await side.up();
    const isDown = side.down();
    const admin = adminOf(redis);
    await admin.call('REPLICAOF', other.connection.host, other.connection.port);
    await isDown;
    expect(side.reasons[0]).toMatch(/READONLY|closed/);
    await admin.call('REPLICAOF', 'NO', 'ONE');
    await side.until(() => side.link.isUp);
  });

  test('where all was deleted, all that is shared is asked for again, and the link stays up', async () => {
    const redis = await server();
    const side = sideOf(name, redis);
    await side.up();
    await adminOf(redis).flushall();
    await side.until(() => side.syncs === 2);
    expect(side.link.isUp).toBe(true);
    expect(side.reasons).toEqual([]);
  });

  test('an instance that nobody has written is not counted for ever', async () => {
    const redis = await server();
    const [first, second] = [sideOf(name, redis, SAME), sideOf(name, redis, SAME)];
    await first.up();
    const admin = adminOf(redis);
    const [key] = await admin.keys('*instances*');
    await admin.zadd(key as string, 'inf', 'a ghost');
    await second.up();
    await first.instances(2);
    expect(await admin.zrange(key as string, '0', '-1')).not.toContain('a ghost');
  });

  test('where only what is published does not arrive, the link is lost', async () => {
    const redis = await server();
    const side = sideOf(name, redis);
    await side.up();
    const isDown = side.down();
    await adminOf(redis).call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await isDown;
    await side.until(() => side.link.isUp);
  });
});
