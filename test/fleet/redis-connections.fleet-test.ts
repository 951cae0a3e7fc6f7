import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Client, Cluster } from 'ioredis';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../../lib/redis/index.js';
import { type Redis, startRedis } from '../support/redis.js';
import { type RedisCluster, startRedisCluster } from '../support/redis-cluster.js';
import { type Transpiled, transpiled } from '../support/transpiled.js';
import { CLIENTS } from './clients.js';
import { FleetSide } from './fleet-side.js';

let redis: Redis;
let cluster: RedisCluster;
let idle: Transpiled;
const ended: (() => unknown)[] = [];

beforeAll(async () => {
  [redis, cluster, idle] = await Promise.all([
    startRedis(),
    startRedisCluster(),
    transpiled('test/fleet/idle-program.ts', 'test/fleet/clients.ts', 'test/fleet/fleet-side.ts'),
  ]);
});

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

afterAll(() => Promise.all([redis.stop(), cluster.stop(), idle.remove()]));

function adminOf({ connection }: Redis): Client {
  const admin = new Client(connection);
  ended.push(() => admin.disconnect());
  return admin;
}

function sideOf(client: RedisClient, namespace: string): FleetSide {
  const side = new FleetSide({ client, namespace });
  ended.push(() => side.close());
  return side;
}

/** So many connections there are, besides those that ask and those of the cluster itself. */
async function connections(admins: readonly Client[]): Promise<number> {
  let count = 0;
  for (const admin of admins) {
    const lines = String(await admin.call('CLIENT', 'LIST')).split('\n');
    count += lines.filter(
      (line) => / cmd=(?!client)/.test(line) && !/ flags=[MS]/.test(line),
    ).length;
  }
  return count;
}

describe.each(Object.entries(CLIENTS))('Over %s', (name, { isCluster, make }) => {
  const nodes = () => (isCluster ? cluster.nodes : [redis]);

  test('a link that is closed leaves no connection, also where it is just being made', async () => {
    const admins = nodes().map(adminOf);
    const before = await connections(admins);
    const one = sideOf(make(nodes()), name);
    await one.up();
    expect(await connections(admins)).toBeGreaterThanOrEqual(before + 2);
    await one.close();
    await one.close();
    for (let turns = 0; turns < 5; turns++) {
      const other = sideOf(make(nodes()), name);
      other.link.open();
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      await other.close();
    }
    while ((await connections(admins)) > before) await new Promise((next) => setTimeout(next, 20));
  });

  test('a process that has nothing else to do ends', async () => {
    const child = spawn(process.execPath, [idle.program, name, ...ports()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text) => {
      said += String(text);
    });
    const [code] = await once(child, 'exit');
    expect([code, said.trim()]).toEqual([0, 'up']);
  });

  function ports(): string[] {
    return nodes().map(({ connection }) => String(connection.port));
  }
});

describe('Whatever the user has set for a client', () => {
  test('a prefix of keys changes nothing, and the client itself is left alone', async () => {
    const clients = [
      new Client({ ...redis.connection, lazyConnect: true, keyPrefix: 'mine:' }),
      createClient({ socket: redis.connection, keyPrefix: 'mine:' }),
      new Client({
        ...redis.connection,
        lazyConnect: true,
        stringNumbers: true,
        enableAutoPipelining: true,
        commandTimeout: 1,
        maxRetriesPerRequest: null,
      }),
      createClient({ socket: redis.connection, commandOptions: { asap: true }, pingInterval: 5 }),
    ] as const;
    const sides = clients.map((client) => sideOf(client, 'prefixed'));
    await Promise.all(sides.map((side) => side.up()));
    const [one, ...others] = sides as [FleetSide, ...FleetSide[]];
    const heard = others.map((side) => side.verdict('payments'));
    await one.open('payments');
    for (const verdict of await Promise.all(heard)) expect(verdict).toMatchObject({ isOpen: true });
    const keys = await adminOf(redis).keys('*prefixed*');
    expect(keys.filter((key) => !key.startsWith('bulwark:1:{prefixed}:'))).toEqual([]);
    expect([clients[0].status, clients[1].isOpen]).toEqual(['wait', false]);
  });

  test('the database is kept, and instances in another one share nothing', async () => {
    const one = sideOf(new Client({ ...redis.connection, lazyConnect: true, db: 1 }), 'apart');
    const alike = sideOf(createClient({ socket: redis.connection, database: 1 }), 'apart');
    const other = sideOf(new Client({ ...redis.connection, lazyConnect: true }), 'apart');
    await Promise.all([one.up(), alike.up(), other.up()]);
    const told: unknown[] = [];
    other.link.verdicts.listen('payments', (verdict) => told.push(verdict));
    const heard = alike.verdict('payments');
    await one.open('payments');
    await heard;
    expect(await other.link.verdicts.read('payments')).toMatchObject({ isOpen: false });
    expect([told, other.link.instances]).toEqual([[], 1]);
  });

  test('credentials are kept, and in no reason when they are wrong', async () => {
    const secured = await startRedis({ requirepass: 'right-password' });
    ended.push(() => secured.stop());
    const { host, port } = secured.connection;
    const url = (password: string) => `redis://:${password}@${host}:${port}`;
    const lazily = { lazyConnect: true };
    const good = [
      sideOf(new Client(url('right-password'), lazily), 'secured'),
      sideOf(createClient({ url: url('right-password') }), 'secured'),
    ];
    await Promise.all(good.map((side) => side.up()));
    const bad = [
      sideOf(new Client(url('wrong-password'), lazily), 'secured'),
      sideOf(createClient({ url: url('wrong-password') }), 'secured'),
      sideOf(new Cluster([url('wrong-password')], lazily), 'secured'),
      sideOf(createCluster({ rootNodes: [{ url: url('wrong-password') }] }), 'secured'),
    ];
    const isDown = bad.map((side) => side.down());
    for (const side of bad) side.link.open();
    await Promise.all(isDown);
    for (const side of bad) {
      expect(side.reasons[0]).toContain('WRONGPASS');
      expect(side.reasons.join()).not.toContain('wrong-password');
    }
  });
});
