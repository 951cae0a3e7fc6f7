import type { Connector } from './connection.js';
import { type NodeRedis, nodeRedisConnection, OWN_OPTIONS } from './node-redis.js';

/** What is needed of a cluster client of node-redis. */
export interface NodeRedisCluster extends Omit<NodeRedis, 'isReady'> {
  readonly masters: readonly object[];
}

export function nodeRedisClusterConnector(
  client: NodeRedisCluster,
  connectTimeoutMs: number,
): Connector {
  return {
    kind: 'node-redis cluster',
    connect: (lost) => {
      const { defaults } = (client as { _options?: { defaults?: { socket?: object } } })
        ._options ?? { defaults: undefined };
      return nodeRedisConnection(
        client.duplicate({
          commandOptions: undefined,
          useReplicas: false,
          minimizeConnections: false,
          defaults: {
            ...defaults,
            ...OWN_OPTIONS,
            socket: {
              ...defaults?.socket,
              reconnectStrategy: false,
              connectTimeout: connectTimeoutMs,
            },
          },
        }),
        lost,
      );
    },
  };
}
