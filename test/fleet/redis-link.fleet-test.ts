import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { RedisClient } from '../../lib/redis/index.js';
import { type Redis, startRedis } from '../support/redis.js';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js';
import { CLIENTS } from './clients.js';
import { FleetSide } from './fleet-side.js';

let redis: Redis;
let cluster: RedisCluster;
const sides: FleetSide[] = [];

beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});

afterEach(async () => {
  await Promise.all(sides.splice(0).map((side) => side.close()));
});

afterAll(() => Promise.all([redis.stop(), cluster.stop()]));

function side(client: RedisClient, namespace: string): FleetSide {
  const made = new FleetSide({ client, namespace, heartbeatMs: 250 });
  sides.push(made);
  return made;
}

describe.each(Object.entries(CLIENTS))('Over %s', (name, { isCluster, make }) => {
  const nodes = () => (isCluster ? cluster.nodes : [redis]);
  let tests = 0;
  const pair = () => {
    const namespace = `${name} ${tests++}`;
    return [side(make(nodes()), namespace), side(make(nodes()), namespace)] as const;
  };

  test('instances count each other, and no more those that have left', async () => {
    const [one, other] = pair();
    await one.up();
    await other.up();
    await one.instances(2);
    await other.instances(2);
    await other.close();
    await one.instances(1);
  });

  test('what one decides is heard by the others', async () => {
    const [one, other] = pair();
    await Promise.all([one.up(), other.up()]);
    const heard = other.verdict('payments');
    await one.open('payments');
    expect(await heard).toMatchObject({ isOpen: true });
  });

  test('scripts are sent again where Redis has forgotten them', async () => {
    const [one] = pair();
    await one.up();
    await one.open('payments');
    for (const { connection } of nodes()) {
      const admin = new Client(connection);
      await admin.script('FLUSH');
      admin.disconnect();
    }
    expect(await one.open('orders')).toMatchObject({ isOpen: true });
  });

  test('a connection that was killed is one lost, after which all is up again', async () => {
    const [one, other] = pair();
    await Promise.all([one.up(), other.up()]);
    const isDown = one.down();
    for (const { connection } of nodes()) {
      const admin = new Client(connection);
      await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      admin.disconnect();
    }
    await isDown;
    await one.up();
    const heard = other.verdict('payments');
    await other.up();
    await one.open('payments');
    expect(await heard).toMatchObject({ isOpen: true });
  });
});
