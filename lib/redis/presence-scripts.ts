import type { Script } from './store.js';

/**
 * Writes that the instance is there, and forgets those that are not heard of any more. As it writes where
 * the fleet is kept, it finds a Redis that takes no writes; by what it publishes to the instance itself, that
 * one knows that it hears.
 *
 * KEYS: a sorted set of when each will be gone, a hash of what each says of itself.
 * ARGV: 2 the instance, 3 ms until it is gone, 4 what it says of itself, 5 its own channel.
 * Returns Redis' time in ms, the number of instances, and whether this one was not known.
 */
export const HEARTBEAT: Script = {
  name: 'heartbeat',
  lua: `
local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now), 'LIMIT', 0, 100)
for _, instance in ipairs(gone) do
  redis.call('ZREM', KEYS[1], instance)
  redis.call('HDEL', KEYS[2], instance)
end
local lifeMs = tonumber(ARGV[3])
local added = redis.call('ZADD', KEYS[1], now + lifeMs, ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[4])
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < lifeMs then redis.call('PEXPIRE', key, lifeMs) end
end
redis.call('PUBLISH', ARGV[5], '')
return {now, redis.call('ZCARD', KEYS[1]), added}
`,
};

/** Takes the instance out. KEYS as above; ARGV: 2 the instance. */
export const LEAVE: Script = {
  name: 'leave',
  lua: `
redis.call('HDEL', KEYS[2], ARGV[2])
return {redis.call('ZREM', KEYS[1], ARGV[2])}
`,
};

/** KEYS as above. Returns each instance followed by what it says of itself. */
export const PRESENT: Script = {
  name: 'present',
  lua: `
local instances = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now), '+inf', 'LIMIT', 0, 1000)
if #instances == 0 then return {} end
local about = redis.call('HMGET', KEYS[2], unpack(instances))
local answer = {}
for i, instance in ipairs(instances) do
  answer[2 * i - 1] = instance
  answer[2 * i] = about[i] or ''
end
return answer
`,
};
