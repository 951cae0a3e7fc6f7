import type { Script } from './store.js';

/**
 * `KEYS[1]` is a hash: for each instance how many slots it holds and wants, until when, and its last
 * `sequence`; the `max` of who asked last; and `growFrom`, until when nobody that was known gets more. `ARGV`
 * from 2 on: instance, max, held, wanted, leaseMs, sequence, channel, bulkhead, 1 where it was known before.
 * Returns the slots, and 1 where the max was another.
 */
export const LEASE_SLOTS: Script = {
  name: 'lease of slots',
  lua: `
local me = 'of:' .. ARGV[2]
local max, held, wanted = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local leaseMs, sequence = tonumber(ARGV[6]), tonumber(ARGV[7])

local parts = {{name = me, wanted = wanted}}
local heldByOthers, freed, isSomebodyShort, isForgotten, disputed = 0, 0, false, ARGV[10] == '1', 0
local growFrom = 0
local stored = redis.call('HGETALL', KEYS[1])
for at = 1, #stored, 2 do
  local name, value = stored[at], stored[at + 1]
  local itsHeld, itsWanted, untilMs, itsSequence = string.match(value, '^(%d+) (%d+) (%d+) (%d+)$')
  if name == 'max' then
    if value ~= ARGV[3] then disputed = 1 end
  elseif name == 'growFrom' then
    growFrom = tonumber(value) or 0
    if growFrom > now + leaseMs then growFrom = 0 end
  elseif name == me then
    if itsSequence and tonumber(itsSequence) >= sequence then return {-1} end
    isForgotten = false
    freed = freed + (tonumber(itsHeld) or 0)
  elseif not itsHeld or tonumber(untilMs) <= now or tonumber(untilMs) >= tooLate then
    redis.call('HDEL', KEYS[1], name)
    freed = freed + (tonumber(itsHeld) or 0)
  else
    heldByOthers = heldByOthers + tonumber(itsHeld)
    isSomebodyShort = isSomebodyShort or tonumber(itsWanted) > tonumber(itsHeld)
    parts[#parts + 1] = {name = name, wanted = tonumber(itsWanted)}
  end
end

-- Where there are fewer slots than instances, those that get none are others each time.
local round = 0
if #parts > max then round = math.floor(now / leaseMs) end
table.sort(parts, function(one, other) return one.name < other.name end)
for place, part in ipairs(parts) do part.place = (place - 1 + round) % #parts end
table.sort(parts, function(one, other)
  if one.wanted ~= other.wanted then return one.wanted < other.wanted end
  return one.place < other.place
end)
local left, share = max, 0
for place, part in ipairs(parts) do
  local got = math.min(part.wanted, math.floor(left / (#parts - place + 1)))
  left = left - got
  if part.name == me then share = got end
end
if wanted > 0 then share = share + math.floor(left / (2 * #parts)) end

-- Where one is forgotten, others are, too: none of them gets more until all have said what they hold.
-- Where all hold more than there are, as after they did not hear of each other, each goes down.
local slots = math.min(share, math.max(0, max - heldByOthers))
if isForgotten and growFrom <= now then
  growFrom = now + leaseMs / 2
  redis.call('HSET', KEYS[1], 'growFrom', growFrom)
end
if slots > held and (wanted <= held or ARGV[10] == '1' and growFrom > now) then slots = held end
held = math.max(held, slots)
freed = freed - held
redis.call('HSET', KEYS[1], me, string.format('%d %d %d %d', held, wanted, now + leaseMs, sequence), 'max', ARGV[3])
if held == 0 and wanted == 0 then redis.call('HDEL', KEYS[1], me) end
redis.call('PEXPIRE', KEYS[1], 2 * leaseMs)
if freed > 0 and isSomebodyShort then
  redis.call('PUBLISH', ARGV[8], cjson.encode({1, 'freed', ARGV[9]}))
end
return {slots, disputed}`,
};
