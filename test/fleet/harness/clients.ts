import { Cluster as Cluster6, Redis as Redis6 } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import { createClient as create6, createCluster as createCluster6, createSentinel } from 'redis';
import { createClient as create5, createCluster as createCluster5 } from 'redis5';
import type { RedisClient } from '../../../lib/redis/index.js';
import type { Address, ClientName } from './messages.js';

const HOST = '127.0.0.1';
const nodes = (ports: readonly number[]) => ports.map((port) => ({ host: HOST, port }));
const roots = (ports: readonly number[]) =>
  ports.map((port) => ({ url: `redis://${HOST}:${port}` }));

/** The client that an application has already, connected or about to be; its own errors are its own. */
export function clientOf(name: ClientName, address: Address): RedisClient {
  const client = made(name, address);
  client.on('error', () => undefined);
  if (name.startsWith('redis'))
    void (client as ReturnType<typeof create6>).connect().catch(() => undefined);
  return client;
}

/** All are made as those of the newer version are. */
const IOREDIS = {
  ioredis: [Redis6, Cluster6] as const,
  ioredis5: [Redis5, Cluster5] as unknown as readonly [typeof Redis6, typeof Cluster6],
};
const NODE_REDIS = {
  redis: [create6, createCluster6] as const,
  redis5: [create5, createCluster5] as unknown as readonly [typeof create6, typeof createCluster6],
};

function made(name: ClientName, address: Address): NodeJS.EventEmitter & RedisClient {
  if (name === 'ioredis' || name === 'ioredis5') {
    const [Single, Cluster] = IOREDIS[name];
    if ('cluster' in address) return new Cluster(nodes(address.cluster));
    if ('port' in address) return new Single({ host: HOST, port: address.port });
    return new Single({ sentinels: nodes(address.sentinels), name: address.master });
  }
  const [single, cluster] = NODE_REDIS[name];
  if ('cluster' in address) return cluster({ rootNodes: roots(address.cluster) });
  if ('port' in address) return single({ socket: { host: HOST, port: address.port } });
  return createSentinel({ name: address.master, sentinelRootNodes: nodes(address.sentinels) });
}
