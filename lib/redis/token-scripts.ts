import type { Script } from './store.js';

/** A pause is no longer than a day. */
export const MAX_PAUSE_MS = 24 * 60 * 60 * 1_000;

/**
 * What both begin with: the generic cell rate algorithm. `KEYS[1]` is a hash with `fullAt`, when the bucket
 * will be full again, `resumesAt`, until when nobody gets any, for `pausedMs` in all, and the `rate` of who
 * asked last. `ARGV` from 2 on: limit, intervalMs, burst.
 *
 * A time further ahead than instances can have brought about is not believed: Redis' clock was put back. The
 * bucket is as good as empty then, and nothing is paused.
 */
const BUCKET = `
local limit, intervalMs, burst = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tokenMs = intervalMs / limit
local stored = redis.call('HMGET', KEYS[1], 'fullAt', 'resumesAt', 'pausedMs', 'rate')
local resumesAt = tonumber(stored[2]) or 0
local longest = math.min(tonumber(stored[3]) or 0, ${MAX_PAUSE_MS})
if not (resumesAt <= now + longest) then resumesAt = 0 end
local isPaused = resumesAt > now
local fullAt = math.max(tonumber(stored[1]) or 0, now)
local begins = math.max(now, resumesAt)
if not (fullAt <= begins + (2 * burst + 1000) * tokenMs) then fullAt = begins + burst * tokenMs end

local function available()
  return burst - (fullAt - now) / tokenMs
end

local function keep(...)
  redis.call('HSET', KEYS[1], 'fullAt', string.format('%.3f', fullAt), ...)
  redis.call('PEXPIRE', KEYS[1], math.ceil(math.max(fullAt, resumesAt) - now) + 10000)
end
`;

/** `ARGV` from 5 on: balance, wanted, atLeast. Returns granted, left, waitMs, and 1 where the rate was another. */
export const LEASE_TOKENS: Script = {
  name: 'lease of tokens',
  lua: `${BUCKET}
local balance, wanted, atLeast = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local granted = 0
if balance < 0 then
  fullAt = fullAt - balance * tokenMs
elseif not isPaused then
  fullAt = math.max(now, fullAt - balance * tokenMs)
end
if not isPaused then
  granted = math.max(0, math.min(wanted, math.floor(available() + 0.000001)))
  if granted < atLeast then granted = 0 end
  fullAt = fullAt + granted * tokenMs
end
local rate = ARGV[2] .. '/' .. ARGV[3] .. '/' .. ARGV[4]
keep('rate', rate)
local left = math.floor(available() + 0.000001)
local waitMs = math.ceil(math.max(0, math.max(1, atLeast) - available() - 0.000001) * tokenMs)
if isPaused then left, waitMs = math.min(left, 0), math.max(waitMs, resumesAt - now) end
local disputed = 0
if stored[4] and stored[4] ~= rate then disputed = 1 end
return {granted, left, waitMs, disputed}`,
};

/** `ARGV` from 5 on: pauseMs, channel, rate limit. */
export const PAUSE_TOKENS: Script = {
  name: 'pause of tokens',
  lua: `${BUCKET}
local pauseMs = tonumber(ARGV[5])
if now + pauseMs > resumesAt then
  resumesAt = now + pauseMs
  fullAt = math.max(fullAt, resumesAt + (burst - 1) * tokenMs)
  keep('resumesAt', resumesAt, 'pausedMs', pauseMs)
end
redis.call('PUBLISH', ARGV[6], cjson.encode({1, 'pause', ARGV[7], resumesAt - now}))
return {0}`,
};
