import type { Connector } from './connection.js';
import { type IoRedis, ioredisConnection } from './ioredis.js';

/** What is needed of a cluster client of ioredis. */
export interface IoRedisCluster extends Omit<IoRedis, 'duplicate'> {
  readonly isCluster: true;
  readonly options: { readonly redisOptions?: object };
  duplicate(startupNodes: [], options: object): IoRedis;
}

/** What ours do otherwise than the user's, and what its connections to the nodes do. */
const OWN_OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  clusterRetryStrategy: null,
  scaleReads: 'master',
  enableAutoPipelining: false,
  keyPrefix: '',
};
const OWN_NODE_OPTIONS = {
  autoResendUnfulfilledCommands: false,
  reconnectOnError: null,
  keyPrefix: '',
  stringNumbers: false,
};

export function ioredisClusterConnector(
  client: IoRedisCluster,
  connectTimeoutMs: number,
): Connector {
  return {
    kind: 'ioredis Cluster',
    connect: (lost) =>
      ioredisConnection(
        client.duplicate([], {
          ...OWN_OPTIONS,
          redisOptions: {
            ...client.options.redisOptions,
            ...OWN_NODE_OPTIONS,
            connectTimeout: connectTimeoutMs,
          },
        }),
        lost,
      ),
  };
}
