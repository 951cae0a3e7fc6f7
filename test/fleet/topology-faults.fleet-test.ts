import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, it } from '@jest/globals';
import { startRedis } from '../support/redis.js';
import { startRedisCluster } from '../support/redis-cluster.js';
import type { Transpiled } from '../support/transpiled.js';
import { Crowd, type CrowdSetup } from './harness/crowd.js';
import { eventually } from './harness/eventually.js';
import { podProgram } from './harness/program.js';
import { TcpProxy } from './harness/proxy.js';
import { tell } from './harness/redis-admin.js';
import { strike } from './harness/strike.js';
import { note } from './harness/table.js';
import { MovingSlot, startReplica, startSentinel } from './harness/topologies.js';

let program: Transpiled;
beforeAll(async () => {
  program = await podProgram();
});
afterAll(() => program?.remove());

const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
function until<T extends { stop(): Promise<void> }>(started: T): T {
  ending.push(() => started.stop());
  return started;
}
const crowdAt = async (setup: Omit<CrowdSetup, 'program'>) =>
  until(await Crowd.start({ program, ...setup }));

describe('A fleet', () => {
  it('goes on while its address leads to a replica, and shares again when that is promoted', async () => {
    const master = until(await startRedis());
    const replica = until(await startReplica(master));
    const proxy = until(await TcpProxy.to(master.connection.port));
    const crowd = await crowdAt({ address: () => ({ port: proxy.port }) });
    await strike(crowd, {
      name: 'Redis fails over to a replica, which is promoted',
      slotsLost: 2,
      begin: async () => {
        proxy.targetPort = replica.connection.port;
        await master.stop();
        proxy.cut();
      },
      end: () => tell(replica.connection.port, 'REPLICAOF', 'NO', 'ONE'),
    });
  });

  it('goes on while Sentinel promotes a replica, and shares over that', async () => {
    const master = until(await startRedis());
    const replica = until(await startReplica(master));
    const sentinel = until(await startSentinel(master));
    const crowd = await crowdAt({
      special: (pod) => (pod === 3 ? { client: 'redis' } : {}), // not with node-redis 5
      address: () => ({ sentinels: [sentinel.port], master: 'shop' }),
    });
    await strike(crowd, {
      name: 'Sentinel promotes a replica',
      reach: 'some',
      slotsLost: 2,
      begin: () => master.stop(),
      end: () =>
        eventually('the replica is promoted', async () =>
          String(await tell(replica.connection.port, 'ROLE')).startsWith('master'),
        ),
    });
  });

  it('shares over a cluster in which its slot moves', async () => {
    const cluster = until(await startRedisCluster());
    const ports = cluster.nodes.map(({ connection }) => connection.port);
    const crowd = await crowdAt({ address: () => ({ cluster: ports }) });
    const slot = await MovingSlot.of(`{${crowd.namespace}}`, cluster);
    await strike(crowd, {
      name: 'the slot moves within a cluster',
      reach: 'some',
      begin: () => slot.begin(),
      end: () => slot.end(),
    });
  });

  const valkey = 'valkey-server';
  const hasValkey = spawnSync(valkey, ['--version']).error === undefined;
  if (!hasValkey) afterAll(() => note(`Valkey was not tried: there is no \`${valkey}\` here`));

  (hasValkey ? it : it.skip)('shares over Valkey as over Redis', async () => {
    const server = until(await startRedis({}, valkey));
    const crowd = await crowdAt({ address: () => server.connection });
    await strike(crowd, {
      name: 'Valkey stands still (SIGSTOP)',
      begin: () => server.signal('SIGSTOP'),
      end: () => server.signal('SIGCONT'),
    });
  });
});
