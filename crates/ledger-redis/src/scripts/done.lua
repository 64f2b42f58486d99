-- Acknowledges entries for one group, and removes from the stream what every group has.
--
-- KEYS: stream. ARGV[1]: the group. ARGV[2]: how many groups must have an entry before it is removed; their names
-- follow, then the ids.

local groups = tonumber(ARGV[2])
-- A call of `unpack` is limited by Lua's stack. Each call is a line of the append-only file, so they are few.
local CHUNK = 1000
for from = 3 + groups, #ARGV, CHUNK do
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, from, math.min(from + CHUNK - 1, #ARGV)))
end

local function parse(id)
  local position, number = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(position), tonumber(number)
end

local info = {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local it = {}
  for i = 1, #group, 2 do
    it[group[i]] = group[i + 1]
  end
  info[it['name']] = it
end

-- Everything below the lowest id that some group has not done may go. A group that is not there has done nothing.
local position, number
for i = 3, 2 + groups do
  local it = info[ARGV[i]]
  if not it then
    return 0
  end
  local p, n
  if it['pending'] > 0 then
    p, n = parse(redis.call('XPENDING', KEYS[1], ARGV[i])[2])
  else
    p, n = parse(it['last-delivered-id'])
    n = n + 1
  end
  if not position or p < position or p == position and n < number then
    position, number = p, n
  end
end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', position, number))
