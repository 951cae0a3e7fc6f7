import type { ConnectionLimits, Connector, Lost } from './connection.js';
import {
  connected,
  type IoRedis,
  type IoRedisBase,
  OWN_OPTIONS,
  runningBy,
  subscribe,
} from './ioredis.js';

/** What is used of a cluster client of ioredis. */
export interface IoRedisCluster {
  readonly options: { readonly redisOptions?: object };
  duplicate(startupNodes: [], options: object): OwnCluster;
}

interface OwnCluster extends IoRedisBase {
  nodes(): ClusterNode[];
}

interface ClusterNode extends IoRedis {
  asking(): Promise<unknown>;
}

/** What ours does otherwise than the user's, besides what its connections do. */
const OWN_CLUSTER_OPTIONS = {
  clusterNodeRetryStrategy: null,
  clusterRetryStrategy: null,
  enableAutoPipelining: false,
  enableOfflineQueue: false,
  enableReadyCheck: false,
  himportFieldsets: undefined,
  keyPrefix: '',
  lazyConnect: true,
  // What has failed by a connection may have been done: nothing is sent again.
  retryDelayOnClusterDown: 0,
  retryDelayOnFailover: 0,
  scaleReads: 'master',
  shardedSubscribers: false,
  slotsRefreshInterval: undefined,
};

/** All keys of a fleet are in one slot, so that ours connects to the node that has it, and not to others. */
export function ioredisClusterConnector(
  client: IoRedisCluster,
  limits: ConnectionLimits,
): Connector {
  const { connectTimeoutMs } = limits;
  const nodeOptions = { ...OWN_OPTIONS, connectTimeout: connectTimeoutMs };
  return {
    database: 0,
    connect(lost) {
      const cluster = client.duplicate([], {
        ...OWN_CLUSTER_OPTIONS,
        slotsRefreshTimeout: connectTimeoutMs,
        redisOptions: { ...client.options.redisOptions, ...nodeOptions },
      });
      let failure: unknown; // why a node was not reached: of the cluster it says only that none was
      cluster.on('node error', (error: unknown) => {
        failure = error;
      });
      cluster.on('+node', (node: ClusterNode) => {
        watch(node, lost);
        handleAsking(node);
      });
      let subscriber: IoRedis | undefined;
      return {
        ready: connected(cluster, (reason) => lost(failure ?? reason)),
        ...runningBy(cluster),
        // A connection of its own to some node, as the cluster's one would go to another by itself.
        async subscribe(channels, told) {
          const nodes = cluster.nodes();
          const node = nodes[Math.floor(Math.random() * nodes.length)];
          if (node === undefined) throw new Error('the cluster has no nodes');
          subscriber = node.duplicate(nodeOptions);
          await connected(subscriber, lost);
          await subscribe(subscriber, channels, told);
        },
        close() {
          cluster.disconnect();
          subscriber?.disconnect();
        },
      };
    },
  };
}

/** A node that was connected to, and is not any more: it may be the one. */
function watch(node: IoRedis, lost: Lost): void {
  let wasReady = false;
  let failure: unknown;
  node.on('connect', () => node.stream?.unref?.());
  node.on('ready', () => {
    wasReady = true;
  });
  node.on('error', (error: unknown) => {
    failure = error;
  });
  node.on('end', () => {
    if (wasReady) lost(failure);
  });
}

/** While a slot moves, ioredis says so to the node that it moves to, and leaves a failure of that unhandled. */
function handleAsking(node: ClusterNode): void {
  const { asking } = node;
  node.asking = () => {
    const asked = asking.call(node);
    asked.catch(() => undefined);
    return asked;
  };
}
