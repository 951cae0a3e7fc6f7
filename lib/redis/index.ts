/**
 * Lets the instances of a service share what they learn, over Redis or Valkey.
 *
 * @packageDocumentation
 */

export type { RedisClient } from './client/redis-client.js';
export { RedisFleet } from './redis-fleet.js';
export type { RedisFleetOptions } from './redis-fleet.options.js';
