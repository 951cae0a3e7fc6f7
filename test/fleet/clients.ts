import { Cluster as IoCluster6, Redis as IoRedis6 } from 'ioredis';
import { Cluster as IoCluster5, Redis as IoRedis5 } from 'ioredis5';
import { createClient as createClient6, createCluster as createCluster6 } from 'redis';
import { createClient as createClient5, createCluster as createCluster5 } from 'redis5';
import type { RedisClient } from '../../lib/redis/index.js';
import type { Redis } from '../support/redis.js';

/** How users make clients, none of which is connected. */
interface MakeClient {
  readonly isCluster: boolean;
  /** @param nodes of the cluster; one server, where it is none */
  make(nodes: readonly Pick<Redis, 'connection'>[]): RedisClient;
}

type Nodes = readonly Pick<Redis, 'connection'>[];

const addresses = (nodes: Nodes) => nodes.map(({ connection }) => connection);
const rootNodes = (nodes: Nodes) => addresses(nodes).map((socket) => ({ socket }));
const only = (nodes: Nodes) => addresses(nodes)[0] as Redis['connection'];
const lazily = { lazyConnect: true };

/** The clients that are supported, by their names. */
export const CLIENTS: Readonly<Record<string, MakeClient>> = {
  'ioredis 6': {
    isCluster: false,
    make: (nodes) => new IoRedis6({ ...only(nodes), ...lazily }),
  },
  'ioredis 5': {
    isCluster: false,
    make: (nodes) => new IoRedis5({ ...only(nodes), ...lazily }),
  },
  'node-redis 6': {
    isCluster: false,
    make: (nodes) => createClient6({ socket: only(nodes) }),
  },
  'node-redis 5': {
    isCluster: false,
    make: (nodes) => createClient5({ socket: only(nodes) }),
  },
  'ioredis 6 of a cluster': {
    isCluster: true,
    make: (nodes) => new IoCluster6(addresses(nodes), lazily),
  },
  'ioredis 5 of a cluster': {
    isCluster: true,
    make: (nodes) => new IoCluster5(addresses(nodes), lazily),
  },
  'node-redis 6 of a cluster': {
    isCluster: true,
    make: (nodes) => createCluster6({ rootNodes: rootNodes(nodes) }),
  },
  'node-redis 5 of a cluster': {
    isCluster: true,
    make: (nodes) => createCluster5({ rootNodes: rootNodes(nodes) }),
  },
};
