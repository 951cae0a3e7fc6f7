import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { type Redis, startRedis } from '../support/redis.js';
import type { Transpiled } from '../support/transpiled.js';
import { Crowd, type Reach } from './harness/crowd.js';
import { podProgram } from './harness/program.js';
import {
  type Conduct,
  cutReplies,
  delay,
  deliverLate,
  pass,
  swallow,
  TcpProxy,
  trickle,
} from './harness/proxy.js';
import { tell } from './harness/redis-admin.js';
import { type Fault, strike } from './harness/strike.js';

let program: Transpiled;
let redis: Redis;
let proxy: TcpProxy;
let crowd: Crowd;
beforeAll(async () => {
  program = await podProgram();
  redis = await startRedis();
  proxy = await TcpProxy.to(redis.connection.port);
  crowd = await Crowd.start({ program, address: () => ({ port: proxy.port }) });
});
afterAll(async () => {
  await crowd?.stop();
  await proxy?.stop();
  await redis?.stop();
  await program?.remove();
});

const ask = (...command: (string | number)[]) => tell(redis.connection.port, ...command);
const nothing = (): void => undefined;

const SERVER_FAULTS: Fault[] = [
  {
    name: 'Redis stands still (SIGSTOP)',
    begin: () => redis.signal('SIGSTOP'),
    end: () => redis.signal('SIGCONT'),
  },
  {
    name: 'Redis is killed, and comes back empty',
    begin: () => redis.stop(),
    end: async () => {
      redis = await startRedis({ port: redis.connection.port });
    },
  },
  {
    name: 'Redis takes no writes (REPLICAOF)',
    begin: () => ask('REPLICAOF', '127.0.0.1', 1),
    end: () => ask('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'Redis has no memory left',
    begin: () => ask('CONFIG', 'SET', 'maxmemory', 1),
    end: () => ask('CONFIG', 'SET', 'maxmemory', 0),
  },
  {
    name: 'Redis forgets its scripts (SCRIPT FLUSH)',
    reach: 'all',
    begin: () => ask('SCRIPT', 'FLUSH'),
    whileOpen: () => ask('SCRIPT', 'FLUSH'),
    end: nothing,
  },
  {
    name: 'Redis forgets all (FLUSHALL)',
    reach: 'all',
    begin: () => ask('FLUSHALL'),
    whileOpen: () => ask('FLUSHALL'),
    end: nothing,
  },
];

let endFlood = nothing;
const BUFFER = ['CONFIG', 'SET', 'client-output-buffer-limit'];

/** What Redis cannot get rid of to those who listen. */
const OVERFLOW: Fault = {
  name: 'Redis ends who listens, as buffers are full',
  reach: 'some',
  begin: async () => {
    await ask(...BUFFER, 'pubsub 32768 0 0');
    const flood = setInterval(() => void ask('PUBLISH', crowd.channel, 'x'.repeat(100_000)), 100);
    endFlood = () => clearInterval(flood);
  },
  end: async () => {
    endFlood();
    await ask(...BUFFER, 'pubsub 33554432 8388608 60');
  },
};

/** What somebody else has written where instances read. */
const FOREIGN: Fault = {
  name: 'Redis has keys of foreign types',
  begin: async () => {
    const keys = (await ask('KEYS', `bulwark:1:{${crowd.namespace}}:*`)) as string[];
    for (const key of keys) await ask('SET', key, 'foreign');
  },
  end: () => ask('FLUSHALL'),
};

let deliver = nothing;

const onTheWay = (what: string, conduct: () => Conduct, reach: Reach = 'none'): Fault => ({
  name: `the network ${what}`,
  reach,
  begin: () => {
    proxy.conduct = conduct();
  },
  end: () => {
    proxy.conduct = pass;
    deliver();
  },
});

const NETWORK_FAULTS: Fault[] = [
  onTheWay('swallows everything', () => swallow),
  onTheWay('takes 40 ms each way', () => delay(40), 'all'),
  onTheWay('takes 700 ms each way', () => delay(700)),
  onTheWay('delivers late', () =>
    deliverLate(
      new Promise((resolve) => {
        deliver = resolve;
      }),
    ),
  ),
  onTheWay('cuts off in the middle of a reply', () => cutReplies, 'some'),
  onTheWay('delivers byte by byte', () => trickle(1), 'some'),
];

const FAULTS = [...SERVER_FAULTS, OVERFLOW, FOREIGN, ...NETWORK_FAULTS];

describe('A fleet', () => {
  it.each(FAULTS)('goes on and shares again where $name', (fault) => strike(crowd, fault));
});
