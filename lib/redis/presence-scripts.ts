import type { Script } from './store.js';

/**
 * Writes that the instance is there, and forgets those that are not heard of any more. As it writes where
 * the fleet is kept, it finds a Redis that takes no writes; by what it publishes to the instance itself, that
 * one knows that it hears. It adds before it removes: of a script that has removed something, a Redis that has
 * no memory left takes all the rest.
 *
 * KEYS: a sorted set of when each instance will be gone.
 * ARGV: 2 the instance, 3 ms until it is gone, 4 its own channel.
 * Returns Redis' time in ms, the number of instances, and whether this one was not known.
 */
export const HEARTBEAT: Script = {
  name: 'heartbeat',
  lua: `
local lifeMs = tonumber(ARGV[3])
local added = redis.call('ZADD', KEYS[1], now + lifeMs, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 1)
redis.call('ZREMRANGEBYSCORE', KEYS[1], tooLate, '+inf')
if redis.call('PTTL', KEYS[1]) < lifeMs then redis.call('PEXPIRE', KEYS[1], lifeMs) end
redis.call('PUBLISH', ARGV[4], '')
return {now, redis.call('ZCARD', KEYS[1]), added}
`,
};

/** Takes the instance out. KEYS as above; ARGV: 2 the instance. */
export const LEAVE: Script = {
  name: 'leave',
  lua: `return {redis.call('ZREM', KEYS[1], ARGV[2])}`,
};
