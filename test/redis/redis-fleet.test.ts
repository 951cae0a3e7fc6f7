import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient, createClientPool } from 'redis';
import { createSentinel } from 'redis5';
import { RedisFleet, type RedisFleetOptions } from '../../lib/redis/index.js';
import { Keys } from '../../lib/redis/keys.js';
import { FakeClient } from './fake-client.js';

const SECRET = 'hunter2-secret';
const URL = `redis://user:${SECRET}@localhost:6379`;
const client = new FakeClient();

function made(options: unknown): string {
  try {
    new RedisFleet(options as RedisFleetOptions);
  } catch (error) {
    return (error as Error).message;
  }
  return 'it was made';
}

describe('The options of a fleet on Redis', () => {
  it.each<[string, unknown, string]>([
    [
      'nothing',
      undefined,
      'RedisFleet: is made with what is of type undefined; allowed: an object with client, namespace',
    ],
    ['a URL', URL, 'RedisFleet: is made with what is of type string'],
    ['an array', [{ url: URL }], 'RedisFleet: is made with an array'],
    [
      'something else with a client in it',
      {
        client: new FakeClient(),
        namespace: new (class Client {
          url = URL;
        })(),
      },
      'RedisFleet.namespace: is an instance of Client',
    ],
    [
      'a URL as its client',
      { client: URL, namespace: 'shop' },
      'RedisFleet.client: is a string, not a client that was made with it; allowed: a client of ioredis',
    ],
    [
      'options as its client',
      { client: { url: URL }, namespace: 'shop' },
      'RedisFleet.client: is an object that is no client',
    ],
    [
      'a class as its client',
      { client: Redis, namespace: 'shop' },
      'RedisFleet.client: is a function or class, not a client that it makes',
    ],
    [
      'a promise of a client',
      { client: Promise.resolve(client), namespace: 'shop' },
      'RedisFleet.client: is a promise of something, to be awaited before',
    ],
    [
      'a pool',
      { client: createClientPool(), namespace: 'shop' },
      'RedisFleet.client: is a pool of node-redis',
    ],
    [
      'Sentinel by node-redis 5',
      {
        client: createSentinel({
          name: 'main',
          sentinelRootNodes: [{ host: 'localhost', port: 1 }],
        }),
        namespace: 'shop',
      },
      'RedisFleet.client: is a client for Sentinel of node-redis 5, which cannot be duplicated',
    ],
    ['no client', { namespace: 'shop' }, 'RedisFleet.client: is undefined'],
    ['no namespace', { client }, 'RedisFleet.namespace: is missing'],
    [
      'an empty namespace',
      { client, namespace: ' ' },
      'RedisFleet.namespace: is " "; allowed: a non-empty string',
    ],
    [
      'a time of none',
      { client, namespace: 'shop', commandTimeoutMs: 0 },
      'RedisFleet.commandTimeoutMs: is 0; allowed: a number of milliseconds above 0',
    ],
    [
      'half an instance',
      { client, namespace: 'shop', quorum: 1.5 },
      'RedisFleet.quorum: is 1.5; allowed: a whole number from 1',
    ],
    [
      'what there is not',
      { client, namespace: 'shop', heartBeatMs: 5 },
      'did you mean heartbeatMs?',
    ],
    [
      'heartbeats faster than their answers',
      { client, namespace: 'shop', heartbeatMs: 100 },
      'RedisFleet.heartbeatMs: is 100, and the answer to a heartbeat is waited for as long as commandTimeoutMs, 250; allowed: at least that',
    ],
    [
      'leases shorter than renewals',
      { client, namespace: 'shop', bulkheadLeaseMs: 500 },
      'RedisFleet.bulkheadLeaseMs: is 500',
    ],
  ])('cannot be %s', (_what, options, message) => {
    expect(made(options)).toContain(message);
    expect(made(options)).not.toContain(SECRET);
  });

  it('show nothing of the client to who looks at the fleet', () => {
    const clients = [new Redis(URL, { lazyConnect: true }), createClient({ url: URL })];
    for (const client of clients) {
      const fleet = new RedisFleet({ client, namespace: 'shop', quorum: 3 });
      expect(fleet.options).toEqual({ quorum: 3 });
      expect(inspect(fleet, { depth: 10, showHidden: true }) + JSON.stringify(fleet)).not.toContain(
        SECRET,
      );
    }
  });
});

describe('The keys of a namespace', () => {
  const NAMES = [
    '',
    'a',
    'a:b',
    '{a}',
    '}',
    '%',
    '%007d',
    'ä',
    '\ud800',
    '\udfff',
    '🙂',
    ' ',
    '\n',
    '~a',
  ];

  it('are in one slot, whatever the names', () => {
    for (const name of [...NAMES, 'x'.repeat(1_000)])
      expect(new Keys('shop').of('breaker', name, 's')).toMatch(
        /^bulwark:1:\{shop\}:breaker:[\w.%~@/-]*:s$/,
      );
  });

  it('are one for each name, and no other namespace has them', () => {
    const long = ['x'.repeat(1_000), 'x'.repeat(1_001), 'ä'.repeat(90), 'ä'.repeat(91)];
    const all = [...NAMES, ...long];
    const keys = all.flatMap((namespace) =>
      all.map((name) => new Keys(namespace).of('breaker', name, 's')),
    );
    expect(new Set(keys).size).toBe(all.length ** 2);
    expect(Math.max(...keys.map(({ length }) => length))).toBeLessThan(250);
  });

  it('are none of a channel, and each database has channels of its own', () => {
    const keys = new Keys('shop');
    expect(keys.channel(0)).toBe('bulwark:1:{shop}:0');
    expect(keys.channel(1)).not.toBe(keys.channel(0));
    expect(keys.channelOf('a:b', 0)).not.toBe(keys.channelOf('a', 0));
  });
});
