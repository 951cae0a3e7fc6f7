import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis as Client, Cluster } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../../lib/redis/index.js';
import { type Redis, startRedis } from '../support/redis.js';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js';
import { FleetSide } from './fleet-side.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** As the page about fleets tells to set its user up. */
const [, rights = ''] =
  /^ACL SETUSER (.+)$/m.exec(readFileSync(join(root, 'docs/guide/fleet.md'), 'utf8')) ?? [];
const user = { username: 'shop', password: 'secret' };
const namespace = 'shop';
const lazyConnect = true;

let redis: Redis;
let cluster: RedisCluster;
const ended: (() => unknown)[] = [];

beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
});
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});
afterAll(() => Promise.all([redis.stop(), cluster.stop()]));

function adminOf({ connection }: Pick<Redis, 'connection'>): Client {
  const admin = new Client(connection);
  ended.push(() => admin.disconnect());
  return admin;
}

/** What scripts were not allowed to do. */
async function denied(admin: Client): Promise<string[]> {
  const log = (await admin.call('ACL', 'LOG')) as string[][];
  const entries = log.map((flat) => new Map(flat.map((key, at) => [key, flat[at + 1]])));
  return entries
    .filter((entry) => entry.get('context') === 'lua')
    .map((entry) => String(entry.get('object')));
}

const nodes = () => cluster.nodes.map(({ connection }) => connection);

const CASES: readonly [string, string[], () => RedisClient][] = [
  ['ioredis', [], () => new Client({ ...redis.connection, ...user, lazyConnect })],
  ['node-redis', [], () => createClient({ socket: redis.connection, ...user })],
  [
    'ioredis of a cluster',
    ['+cluster|slots'],
    () => new Cluster(nodes(), { lazyConnect, redisOptions: user }),
  ],
  [
    'node-redis of a cluster',
    ['+cluster|slots'],
    () => createCluster({ rootNodes: nodes().map((socket) => ({ socket })), defaults: user }),
  ],
];

test.each(CASES)(
  'The rights that the documentation names suffice for all that is shared: %s',
  async (_, more, make) => {
    const admins = (more.length > 0 ? cluster.nodes : [redis]).map(adminOf);
    for (const admin of admins) {
      await admin.call('ACL', 'SETUSER', ...rights.split(' '), ...more);
      await admin.call('ACL', 'LOG', 'RESET');
      await admin.flushall();
    }
    const side = new FleetSide({ client: make(), namespace });
    ended.push(() => side.close());
    await side.up();

    const { verdicts, tokens, slots, register, snapshots } = side.link;
    const span = { openMs: 1, baseMs: 1 };
    const opened = await verdicts.vote('payments', { ...span, quorum: 1, seen: 0 });
    const { generation = 0 } = opened ?? {};
    expect(generation).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 5)); // Redis has to count more than a ms
    const permit = { generation, token: 'one' };
    const request = { ...permit, maxPermits: 1, ttlMs: 1_000, lockoutMs: 0 };
    expect(await verdicts.lease('payments', request)).toMatchObject({ isGranted: true });
    const report = { outcome: 'success', successThreshold: 2 } as const;
    expect(await verdicts.report('payments', permit, report)).toBeDefined();
    expect(await verdicts.read('payments')).toBeDefined();
    expect(await verdicts.close('payments', generation)).toMatchObject({ isOpen: false });

    const rate = { limit: 100, intervalMs: 1_000, burst: 10 };
    const wanted = { balance: 0, wanted: 5, atLeast: 1 };
    expect(await tokens.lease('maps', rate, wanted)).toMatchObject({ granted: 5 });
    await tokens.pause('maps', rate, 100);
    expect(await tokens.lease('maps', rate, wanted)).toMatchObject({ granted: 0 });

    const part = { max: 20, leaseMs: 3_000 };
    expect(
      await slots.lease('ledger', { ...part, held: 0, wanted: 4, isKnown: false, sequence: 1 }),
    ).toBeDefined();
    expect(
      await slots.lease('ledger', { ...part, held: 0, wanted: 0, isKnown: true, sequence: 2 }),
    ).toBeDefined();

    const order = {
      subject: 'x/y',
      generation: 0,
      after: 0,
      value: 1,
      by: side.instance,
      ageMs: 0,
    };
    expect(await register.exchange([order])).toMatchObject([{ subject: 'x/y' }]);

    expect(await snapshots.look()).toEqual([]);
    await snapshots.show({ shown: true });
    expect(await snapshots.look()).toMatchObject([{ instance: side.instance }]);
    await snapshots.remove();
    expect(await snapshots.look()).toEqual([]);
    await side.close();

    expect((await Promise.all(admins.map(denied))).flat()).toEqual([]);
  },
);
