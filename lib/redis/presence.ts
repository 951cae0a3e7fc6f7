import type { Script } from './store.js';

/** An instance that was not heard of for so many heartbeats is gone. */
const HEARTBEATS = 3;

/**
 * Writes that the instance is there, and forgets those that were not heard of for long. What it writes
 * is where the fleet lives, so that a Redis which takes no writes is found out. It publishes to the
 * instance itself, which so knows that it hears.
 *
 * KEYS: when each was heard of last (a sorted set), what each says of itself (a hash).
 * ARGV: 2 instance, 3 ms until it is gone, 4 what it says of itself, 5 its own channel.
 * Returns Redis' time in ms and the number of instances.
 */
export const HEARTBEAT: Script = {
  name: 'heartbeat',
  lua: `
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3], 'LIMIT', 0, 100)
for _, instance in ipairs(gone) do
  redis.call('ZREM', KEYS[1], instance)
  redis.call('HDEL', KEYS[2], instance)
end
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
redis.call('PUBLISH', ARGV[5], tostring(now))
return {now, redis.call('ZCARD', KEYS[1])}
`,
};

/** Takes the instance out. KEYS as above; ARGV: 2 instance. */
export const LEAVE: Script = {
  name: 'leave',
  lua: `
redis.call('HDEL', KEYS[2], ARGV[2])
return {redis.call('ZREM', KEYS[1], ARGV[2])}
`,
};

export function goneAfterMs(heartbeatMs: number): number {
  return HEARTBEATS * heartbeatMs;
}
