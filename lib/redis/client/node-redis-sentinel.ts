import type { Connector } from './connection.js';
import { destroy, type NodeRedisBase, runningBy, subscribe } from './node-redis.js';

/** What is used of a client of node-redis that asks Sentinel which server it is. */
export interface NodeRedisSentinel {
  duplicate(options: object): NodeRedisBase;
}

/** How it connects to the servers it does not tell, so that this stays as the user has it. */
const OWN_OPTIONS = {
  clientSideCache: undefined,
  commandOptions: undefined,
  keyPrefix: undefined,
  masterPoolSize: 1,
  maxCommandRediscovers: 0,
  passthroughClientErrorEvents: true,
  replicaPoolSize: 0,
  reserveClient: false,
  scanInterval: 0,
};

export function nodeRedisSentinelConnector(client: NodeRedisSentinel): Connector {
  return {
    database: 0,
    connect(lost) {
      const own = client.duplicate(OWN_OPTIONS);
      let isReady = false;
      // Before, other sentinels may be asked; afterwards, it would go on with what it finds by itself.
      own.on('error', (error: unknown) => {
        if (isReady) lost(error);
      });
      own.on('topology-change', ({ type }: { type: string }) => {
        if (isReady && type === 'MASTER_CHANGE')
          lost(new Error('another server is the master now'));
      });
      own.on('end', () => lost(undefined));
      const ready = own.connect().then(() => {
        isReady = true;
      });
      return {
        ready,
        ...runningBy(own),
        subscribe: (channels, told) => subscribe(own, channels, told),
        close: () => destroy(own),
      };
    },
  };
}
