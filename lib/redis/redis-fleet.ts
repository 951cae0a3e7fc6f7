import type { Fleet, FleetLink, FleetMember, FleetOptions } from '../index.js';
import type { ConnectionLimits } from './client/connection.js';
import { connectorOf } from './client/redis-client.js';
import { checkRedisFleetOptions, type RedisFleetOptions } from './redis-fleet.options.js';
import { RedisLink } from './redis-link.js';

/**
 * A server that is there answers in a fraction of that. One that is back may never answer who asked before,
 * and is to be reached within two seconds all the same.
 */
const CONNECT_TIMEOUT_MS = 1_000;

/** A connection that nothing came by for so many heartbeats is one that was left open somewhere. */
const SILENT_HEARTBEATS = 10;

/**
 * Lets the instances of a service share what they learn over Redis or Valkey.
 *
 * Each application that it is given to makes connections of its own, to where the client connects to, and
 * ends them when it closes; the client itself is left alone. No call waits for Redis but a probe of a shared
 * breaker, for `probeWaitMs` at most; where Redis is not reached, each instance goes on by itself, and shares
 * again within two seconds of when it is.
 *
 * @example
 * ResilienceModule.forRoot({
 *   fleet: new RedisFleet({
 *     client: new Redis('redis://redis:6379', { lazyConnect: true }), // or createClient({ url })
 *     namespace: 'shop',
 *   }),
 *   breakers: { payments: { shared: true } },
 * });
 */
export class RedisFleet implements Fleet {
  /** The options that all instances agree on, without the client, which has credentials. */
  readonly options: FleetOptions;
  readonly #link: (member: FleetMember) => FleetLink;

  /** @throws ResilienceConfigurationError */
  constructor(options: RedisFleetOptions) {
    const { client, namespace, commandTimeoutMs, heartbeatMs, ...shared } =
      checkRedisFleetOptions(options);
    const limits: ConnectionLimits = {
      connectTimeoutMs: Math.max(CONNECT_TIMEOUT_MS, commandTimeoutMs),
      silenceMs: Math.max(CONNECT_TIMEOUT_MS, SILENT_HEARTBEATS * heartbeatMs),
    };
    const { connectTimeoutMs } = limits;
    const connector = connectorOf('RedisFleet.client', client, limits);
    const linkOptions = { namespace, commandTimeoutMs, heartbeatMs, connectTimeoutMs };
    this.options = shared;
    this.#link = (member) => new RedisLink(member, connector, linkOptions);
  }

  link(member: FleetMember): FleetLink {
    return this.#link(member);
  }
}
