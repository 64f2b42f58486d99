-- How far one group is behind on one stream.
--
-- KEYS: stream, dead letters. ARGV: group. Returns: entries not handed out, entries in hand, the oldest entry that is
-- not done (or ''), the clock, dead letters.

local waiting, in_hand, oldest = 0, 0, ''
local dead = redis.call('XLEN', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0, 0, '', clock(), dead}
end
local after, pending = '-', 0
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local it = {}
  for i = 1, #group, 2 do
    it[group[i]] = group[i + 1]
  end
  if it['name'] == ARGV[1] then
    after, pending = '(' .. it['last-delivered-id'], it['pending']
  end
end
in_hand = pending
local COUNTED = 10000
waiting = #redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1) == 0 and 0 or -1
local from = after
if in_hand > 0 then
  from = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
end
local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
if entry then
  oldest = entry[2]
end
if waiting < 0 then
  waiting = 0
  -- Done entries ahead of the oldest one in hand may still be in the stream, so entries are counted, not subtracted.
  local cursor = after
  while waiting < COUNTED do
    local some = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', 100)
    waiting = waiting + #some
    if #some < 100 then
      break
    end
    cursor = '(' .. some[#some][1]
  end
end
return {waiting, in_hand, oldest, clock(), dead}
