import { ResilienceConfigurationError } from '../../index.js';
import type { ConnectionLimits, Connector } from './connection.js';
import { type IoRedis, ioredisConnector } from './ioredis.js';
import { type IoRedisCluster, ioredisClusterConnector } from './ioredis-cluster.js';
import { type NodeRedis, nodeRedisConnector } from './node-redis.js';
import { type NodeRedisCluster, nodeRedisClusterConnector } from './node-redis-cluster.js';
import { type NodeRedisSentinel, nodeRedisSentinelConnector } from './node-redis-sentinel.js';

/** A client of ioredis 5 or 6: `new Redis(…)`, also by Sentinel, or `new Cluster(…)`. */
interface OfIoRedis {
  /** Whether it is connected, in its own words. */
  readonly status: string;
  /** What it was made with. */
  readonly options: object;
  /** Runs a script. */
  evalsha(...args: never[]): unknown;
  /** Makes another client that connects to the same. */
  duplicate(...args: never[]): unknown;
  /** Ends its connection. */
  disconnect(...args: never[]): unknown;
}

/** A client of node-redis 5 or 6: `createClient(…)`, `createCluster(…)` or, of 6, `createSentinel(…)`. */
interface OfNodeRedis {
  /** Whether it is connected, or on its way to that. */
  readonly isOpen: boolean;
  /** Runs a script. */
  evalSha(...args: never[]): unknown;
  /** Makes another client that connects to the same. */
  duplicate(...args: never[]): unknown;
  /** Ends its connection. */
  destroy(...args: never[]): unknown;
}

/** A client of Redis or Valkey by ioredis or node-redis, version 5 or 6; it need not be connected. */
export type RedisClient = OfIoRedis | OfNodeRedis;

/**
 * How to connect to where a client connects to.
 *
 * @throws ResilienceConfigurationError where it is no client that is known
 */
export function connectorOf(place: string, client: unknown, limits: ConnectionLimits): Connector {
  if (hasMethods(client, 'evalsha', 'duplicate', 'disconnect')) {
    if (hasMethods(client, 'nodes'))
      return ioredisClusterConnector(client as unknown as IoRedisCluster, limits);
    return ioredisConnector(client as unknown as IoRedis, limits);
  }
  if (hasMethods(client, 'evalSha', 'duplicate', 'destroy')) {
    if (hasMethods(client, 'nodeClient'))
      return nodeRedisClusterConnector(client as unknown as NodeRedisCluster, limits);
    if (hasMethods(client, 'getSentinelNode'))
      return nodeRedisSentinelConnector(client as unknown as NodeRedisSentinel);
    return nodeRedisConnector(client as unknown as NodeRedis, limits);
  }
  throw new ResilienceConfigurationError(
    place,
    `is ${whatIs(client)}; allowed: a client of ioredis (new Redis(), new Cluster()) or node-redis (createClient(), createCluster(), of version 6 also createSentinel())`,
  );
}

/** What was given instead, without what it has in it: URLs and options have passwords. */
function whatIs(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'string') return 'a string, not a client that was made with it';
  if (typeof value === 'function') return 'a function or class, not a client that it makes';
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (hasMethods(value, 'then')) return 'a promise of something, to be awaited before';
  if (hasMethods(value, 'evalSha', 'getSentinelNode'))
    return 'a client for Sentinel of node-redis 5, which cannot be duplicated';
  if (hasMethods(value, 'evalSha'))
    return 'a pool of node-redis, or a client of a version that is not supported';
  return 'an object that is no client';
}

function hasMethods(value: unknown, ...names: string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}
