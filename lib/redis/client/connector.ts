import { ResilienceConfigurationError } from '../../index.js';
import type { Connector } from './connection.js';
import { type IoRedis, ioredisConnector } from './ioredis.js';
import { type IoRedisCluster, ioredisClusterConnector } from './ioredis-cluster.js';
import { type NodeRedis, nodeRedisConnector } from './node-redis.js';
import { type NodeRedisCluster, nodeRedisClusterConnector } from './node-redis-cluster.js';

/** @throws ResilienceConfigurationError where it is no client of those that are known */
export function connectorOf(client: object, connectTimeoutMs: number): Connector {
  const has = (...methods: string[]) =>
    methods.every((method) => typeof (client as Record<string, unknown>)?.[method] === 'function');
  if (has('evalsha', 'duplicate', 'disconnect'))
    return (client as { isCluster?: boolean }).isCluster === true
      ? ioredisClusterConnector(client as IoRedisCluster, connectTimeoutMs)
      : ioredisConnector(client as IoRedis, connectTimeoutMs);
  if (has('evalSha', 'duplicate', 'destroy'))
    return 'masters' in client
      ? nodeRedisClusterConnector(client as NodeRedisCluster, connectTimeoutMs)
      : nodeRedisConnector(client as NodeRedis, connectTimeoutMs);
  throw new ResilienceConfigurationError(
    'RedisFleet.client',
    'is no client of Redis; allowed: a client of ioredis or node-redis, also of a cluster',
  );
}
