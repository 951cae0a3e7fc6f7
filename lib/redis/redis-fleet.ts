import type { Fleet, FleetLink, FleetMember, FleetOptions } from '../index.js';

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

/** A fleet on Redis or Valkey. */
export class RedisFleet implements Fleet {
  constructor(readonly options: RedisFleetOptions) {}

  link(_member: FleetMember): FleetLink {
    throw new Error('to be written');
  }
}
