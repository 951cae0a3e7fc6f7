import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Client } from 'ioredis';
import { freePort } from './free-port.js';
import { type Redis, startRedis } from './redis.js';

export const SLOTS = 16_384;

/** Nodes of a cluster of the test's own, which keeps nothing. */
export interface RedisCluster {
  readonly nodes: readonly Redis[];
  stop(): Promise<void>;
}

/** Without replicas. */
export async function startRedisCluster(count = 3): Promise<RedisCluster> {
  const nodes = await Promise.all(
    Array.from({ length: count }, async () => {
      const busPort = await freePort(); // that which they would take by themselves may be none
      const node = await startRedis({ 'cluster-enabled': 'yes', 'cluster-port': busPort });
      return { busPort, ...node };
    }),
  );
  const stop = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
  };
  const clients = nodes.map(({ connection }) => new Client(connection));
  try {
    const [first] = nodes as [(typeof nodes)[number]];
    const { host, port } = first.connection;
    await Promise.all(
      clients.map(async (client, i) => {
        const from = Math.ceil((i * SLOTS) / count);
        const to = Math.ceil(((i + 1) * SLOTS) / count) - 1;
        await client.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
        if (i > 0) await client.call('CLUSTER', 'MEET', host, port, first.busPort);
      }),
    );
    for (const client of clients) while (!(await knowsAll(client, count))) await sleep(20);
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
  return { nodes, stop };
}

async function knowsAll(client: Client, count: number): Promise<boolean> {
  const info = String(await client.call('CLUSTER', 'INFO'));
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${count}`);
}
