import type { Script } from './store.js';

/** No timer takes longer, and so no breaker is open for longer. */
export const MAX_MS = 2_147_483_647;

/**
 * What all of them begin with. Of a breaker, `KEYS[1]` is a hash with the verdict in force, `KEYS[2]` tells when
 * each instance's vote ends, and `KEYS[3]` when each probe's permit does. `ARGV[2]` is the channel, and
 * `ARGV[3]` the breaker's name.
 */
const VERDICT = `
local stored = redis.call('HMGET', KEYS[1], 'generation', 'open', 'untilMs', 'baseMs', 'openMs')
local generation = tonumber(stored[1]) or 0
local open = tonumber(stored[2]) or 0
local untilMs = tonumber(stored[3]) or 0
local baseMs = tonumber(stored[4]) or 0
local openMs = tonumber(stored[5]) or 0

-- What no instance has written is refused by who reads it, and gives way to the next verdict.
local function isWithin(value, max) return value >= 0 and value <= max end
if not (isWithin(generation, tooLate) and isWithin(open, 1) and isWithin(baseMs, ${MAX_MS}) and isWithin(openMs, ${MAX_MS})) then
  generation, open, untilMs, baseMs = -1, 0, 0, 0
end
-- Where Redis' clock was put back, it is time for probes: nobody knows how much of the open time is left.
if not (untilMs <= now + openMs) then untilMs = 0 end

local function leftMs()
  if open == 0 then return 0 end
  return math.max(0, untilMs - now)
end

local function answer(first, retryAfterMs)
  return { first, generation, open, leftMs(), baseMs, retryAfterMs or 0 }
end

-- Takes out what is over by then, and what no instance has written.
local function prune(key, overAt)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', overAt)
  redis.call('ZREMRANGEBYSCORE', key, tooLate, '+inf')
end

-- What nobody asks for any more goes by itself.
local function keep(key)
  local longest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  if longest then redis.call('PEXPIRE', key, math.max(1, 2 * (tonumber(longest) - now))) end
end

-- A new verdict, which all are told: open for some time, or closed where that is 0. Its generation grows
-- also where the hash was lost.
local function decide(seen, nextOpenMs, nextBaseMs)
  generation = math.max(generation + 1, seen + 1, now)
  open, untilMs, baseMs, openMs = 0, 0, nextBaseMs, nextOpenMs
  if openMs > 0 then open, untilMs = 1, now + openMs end
  redis.call('HSET', KEYS[1], 'generation', generation, 'open', open, 'untilMs', untilMs,
    'baseMs', baseMs, 'openMs', openMs, 'successes', 0)
  redis.call('PEXPIRE', KEYS[1], math.max(3600000, 4 * openMs))
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('PUBLISH', ARGV[2], cjson.encode({ 1, 'verdict', ARGV[3], generation, open, leftMs(), baseMs }))
  return answer(0)
end
`;

/** Of those that give a permit back: `ARGV[4]` is its generation, and `ARGV[5]` its token. */
const PERMIT = `${VERDICT}
if generation ~= tonumber(ARGV[4]) or redis.call('ZREM', KEYS[3], ARGV[5]) == 0 then return answer(0) end
`;

export const READ: Script = { name: 'read', lua: `${VERDICT} return answer(0)` };

/** `ARGV` from 4 on: instance, openMs, baseMs, quorum, seen. */
export const VOTE: Script = {
  name: 'vote',
  lua: `${VERDICT}
if open == 1 and untilMs > now then return answer(0) end
local ownOpenMs, base = tonumber(ARGV[5]), tonumber(ARGV[6])
prune(KEYS[2], now)
redis.call('ZADD', KEYS[2], now + ownOpenMs, ARGV[4])
keep(KEYS[2])
if redis.call('ZCARD', KEYS[2]) < tonumber(ARGV[7]) then return answer(0) end
redis.call('HDEL', KEYS[1], 'lastFailedProber')
if open == 1 then base = math.max(base, baseMs) end
return decide(tonumber(ARGV[8]), ownOpenMs, base)`,
};

/** `ARGV` from 4 on: instance, generation, token, maxPermits, ttlMs, lockoutMs. The first of the answer is 1 where it is granted. */
export const LEASE: Script = {
  name: 'lease',
  lua: `${VERDICT}
local ttlMs = tonumber(ARGV[8])
if open == 0 or generation ~= tonumber(ARGV[5]) then return answer(0) end
if untilMs > now then return answer(0, untilMs - now) end
local lockedUntil = untilMs + tonumber(ARGV[9])
if lockedUntil > now and redis.call('HGET', KEYS[1], 'lastFailedProber') == ARGV[4] then
  return answer(0, lockedUntil - now)
end
prune(KEYS[3], now - ttlMs)
if redis.call('ZCOUNT', KEYS[3], '(' .. now, '+inf') >= tonumber(ARGV[7]) then return answer(0, 250) end
redis.call('ZADD', KEYS[3], now + ttlMs, ARGV[6])
keep(KEYS[3])
return answer(1)`,
};

/** `ARGV[6]`: successThreshold. */
export const SUCCEED: Script = {
  name: 'succeed',
  lua: `${PERMIT}
if redis.call('HINCRBY', KEYS[1], 'successes', 1) < tonumber(ARGV[6]) then return answer(0) end
redis.call('HDEL', KEYS[1], 'lastFailedProber')
return decide(0, 0, 0)`,
};

/** `ARGV` from 6 on: instance, openMs, baseMs. */
export const FAIL: Script = {
  name: 'fail',
  lua: `${PERMIT}
redis.call('HSET', KEYS[1], 'lastFailedProber', ARGV[6])
return decide(0, tonumber(ARGV[7]), tonumber(ARGV[8]))`,
};

/** `ARGV[4]`: seen. */
export const CLOSE: Script = {
  name: 'close',
  lua: `${VERDICT}
redis.call('HDEL', KEYS[1], 'lastFailedProber')
return decide(tonumber(ARGV[4]), 0, 0)`,
};

export const RELEASE: Script = { name: 'release', lua: `${PERMIT} return answer(0)` };
