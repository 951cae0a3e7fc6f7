/** Which clients a fleet takes, and what it does not: checked by `npm run typecheck`. */
import { Cluster as IoCluster6, Redis as IoRedis6 } from 'ioredis';
import { Cluster as IoCluster5, Redis as IoRedis5 } from 'ioredis5';
import * as redis6 from 'redis';
import * as redis5 from 'redis5';
import { RedisFleet } from '../../lib/redis/index.js';

const namespace = 'shop';
const nodes = [{ host: 'localhost', port: 6379 }];
const rootNodes = nodes.map((socket) => ({ socket }));
const sentinels = { name: 'main', sentinelRootNodes: nodes };

export const taken = () => [
  new RedisFleet({ client: new IoRedis6(), namespace }),
  new RedisFleet({ client: new IoRedis6({ sentinels: nodes, name: 'main' }), namespace }),
  new RedisFleet({ client: new IoCluster6(nodes), namespace }),
  new RedisFleet({ client: new IoRedis5(), namespace }),
  new RedisFleet({ client: new IoCluster5(nodes), namespace }),
  new RedisFleet({ client: redis6.createClient(), namespace }),
  new RedisFleet({ client: redis6.createClient({ RESP: 2, url: 'redis://localhost' }), namespace }),
  new RedisFleet({ client: redis6.createCluster({ rootNodes }), namespace }),
  new RedisFleet({ client: redis6.createSentinel(sentinels), namespace }),
  new RedisFleet({ client: redis5.createClient(), namespace }),
  new RedisFleet({ client: redis5.createClient({ RESP: 3 }), namespace }),
  new RedisFleet({ client: redis5.createCluster({ rootNodes }), namespace }),
];

export const refused = () => [
  // @ts-expect-error a URL is no client
  new RedisFleet({ client: 'redis://localhost', namespace }),
  // @ts-expect-error neither are its options
  new RedisFleet({ client: { host: 'localhost', port: 6379 }, namespace }),
  // @ts-expect-error connect() promises it
  new RedisFleet({ client: redis6.createClient().connect(), namespace }),
  // @ts-expect-error a class is not yet one
  new RedisFleet({ client: IoRedis6, namespace }),
  // @ts-expect-error a pool has no connection to be duplicated
  new RedisFleet({ client: redis6.createClientPool(), namespace }),
  // @ts-expect-error neither has this one
  new RedisFleet({ client: redis5.createSentinel(sentinels), namespace }),
  // @ts-expect-error what is shared must not mix with that of another service
  new RedisFleet({ client: new IoRedis6() }),
];
