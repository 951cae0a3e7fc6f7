import type { Fleet, FleetLink, FleetMember, FleetOptions } from '../index.js';
import { connectorOf } from './client/connector.js';
import { RedisLink } from './redis-link.js';

/** How instances share over Redis. */
export interface RedisFleetOptions extends FleetOptions {
  /** A client of ioredis or node-redis, also of a cluster. */
  client: object;
  /** Of the service: what is shared by a name is shared by the instances with the same namespace. */
  namespace: string;
  /** How long an answer is waited for, in ms. @default 250 */
  commandTimeoutMs?: number;
  /** How often an instance writes that it is there, in ms. @default 1000 */
  heartbeatMs?: number;
}

/** So long a connection may take to be made, in ms. */
const CONNECT_TIMEOUT_MS = 2_000;

/** A fleet on Redis or Valkey. */
export class RedisFleet implements Fleet {
  constructor(readonly options: RedisFleetOptions) {}

  link(member: FleetMember): FleetLink {
    const { client, namespace, commandTimeoutMs = 250, heartbeatMs = 1_000 } = this.options;
    return new RedisLink(member, connectorOf(client, CONNECT_TIMEOUT_MS), {
      namespace,
      commandTimeoutMs,
      heartbeatMs,
    });
  }
}
