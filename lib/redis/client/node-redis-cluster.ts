import type { ConnectionLimits, Connector } from './connection.js';
import {
  destroy,
  type NodeRedisBase,
  OWN_OPTIONS,
  ownSocket,
  runningBy,
  subscribe,
} from './node-redis.js';

/** What is used of a cluster client of node-redis. */
export interface NodeRedisCluster {
  /** It has no other way to tell how it connects to the nodes. */
  readonly _options?: { readonly defaults?: { readonly socket?: object } };
  duplicate(options: object): OwnCluster;
}

interface OwnCluster extends NodeRedisBase {
  readonly masters: readonly Node[];
  readonly pubSubNode?: Node;
}

interface Node {
  readonly client?: { unref(): void };
  readonly connectPromise?: Promise<unknown>;
}

/** All keys of a fleet are in one slot, so that ours connects to the node that has it, and not to others. */
export function nodeRedisClusterConnector(
  client: NodeRedisCluster,
  limits: ConnectionLimits,
): Connector {
  const defaults = client._options?.defaults;
  const options = {
    clientSideCache: undefined,
    commandOptions: undefined,
    defaults: { ...defaults, ...OWN_OPTIONS, socket: ownSocket(defaults?.socket, limits) },
    keyPrefix: undefined,
    minimizeConnections: true,
    useReplicas: false,
  };
  return {
    database: 0,
    connect(lost) {
      const cluster = client.duplicate(options);
      const nodes = () => [...cluster.masters, cluster.pubSubNode];
      const holdNoProcess = () => {
        for (const node of nodes()) node?.client?.unref();
      };
      let failure: unknown; // why a node was not reached: of the cluster it says only that none was
      cluster.on('error', (error: unknown) => {
        failure = error;
      });
      cluster.on('node-connect', holdNoProcess);
      cluster.on('node-error', lost);
      cluster.on('node-disconnect', () => lost(undefined));
      const ready = cluster.connect().catch((error: unknown) => {
        throw failure ?? error;
      });
      return {
        ready,
        ...runningBy(cluster),
        subscribe: (channels, told) => subscribe(cluster, channels, told),
        close() {
          // The socket of one that is about to connect is not known to it yet.
          const connecting = [ready, ...nodes().map((node) => node?.connectPromise)];
          void Promise.allSettled(connecting).then(() => destroy(cluster));
        },
      };
    },
  };
}
