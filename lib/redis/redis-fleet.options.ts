import {
  checkOptions,
  type FleetOptions,
  fleetRules,
  ResilienceConfigurationError,
  type Rules,
  rules,
} from '../index.js';
import type { RedisClient } from './client/redis-client.js';

/** How instances share over Redis or Valkey. */
export interface RedisFleetOptions extends FleetOptions {
  /**
   * A client of ioredis or node-redis, also of a cluster or by Sentinel. It is not used itself, and need not
   * be connected: connections of the fleet's own go to where it connects to.
   */
  client: RedisClient;
  /**
   * The name of the service: what has the same name is shared by all instances with the same namespace, and
   * by no others. Environments that use the same Redis need one each (`shop-staging`).
   */
  namespace: string;
  /** How long an answer is waited for, in ms; after that the instance goes on by itself. @default 250 */
  commandTimeoutMs?: number;
  /**
   * How often an instance says that it is there, in ms. One that is not heard of for three times as long is
   * gone. @default 1000
   */
  heartbeatMs?: number;
}

const PLACE = 'RedisFleet';

const RULES: Rules<RedisFleetOptions> = {
  client: () => undefined, // it is looked at by who connects, and shown to nobody
  namespace: rules.text,
  commandTimeoutMs: rules.duration,
  heartbeatMs: rules.duration,
  ...fleetRules,
};

/**
 * The options with their defaults.
 *
 * @throws ResilienceConfigurationError
 */
export function checkRedisFleetOptions(options: unknown): RedisFleetOptions & {
  readonly commandTimeoutMs: number;
  readonly heartbeatMs: number;
} {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    // a URL, maybe, with a password
    throw new ResilienceConfigurationError(
      PLACE,
      `is made with ${whatIs(options)}; allowed: an object with ${Object.keys(RULES).join(', ')}`,
    );
  const given = checkOptions<RedisFleetOptions>(PLACE, options, RULES);
  if (given.namespace === undefined)
    throw new ResilienceConfigurationError(
      `${PLACE}.namespace`,
      "is missing, and names of two services must not mix; allowed: a name of the service's own, such as 'shop'",
    );
  const checked = { commandTimeoutMs: 250, heartbeatMs: 1_000, ...given };
  const { commandTimeoutMs, heartbeatMs, bulkheadLeaseMs = 3_000 } = checked;
  if (heartbeatMs < commandTimeoutMs)
    throw new ResilienceConfigurationError(
      `${PLACE}.heartbeatMs`,
      `is ${heartbeatMs}, and the answer to a heartbeat is waited for as long as commandTimeoutMs, ${commandTimeoutMs}; allowed: at least that`,
    );
  if (bulkheadLeaseMs < 3 * commandTimeoutMs)
    throw new ResilienceConfigurationError(
      `${PLACE}.bulkheadLeaseMs`,
      `is ${bulkheadLeaseMs}, and a lease that is renewed each third of that has to hear the answer before, within commandTimeoutMs, ${commandTimeoutMs}; allowed: at least ${3 * commandTimeoutMs}`,
    );
  return checked;
}

function whatIs(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `what is of type ${typeof value}`;
}
