-- Reads what users hold of one coupon.
--
-- KEYS: state, users. ARGV[4]: how many users. ARGV[5] and on: the users.

local trouble = doubt()
if trouble then
  return trouble
end
if retired == '1' then
  return {'retired', closes}
end
local CHUNK = 1000
local FIRST = 5
local END = FIRST - 1 + tonumber(ARGV[4])
local found = {}
for from = FIRST, END, CHUNK do
  local held = redis.call('HMGET', KEYS[2], unpack(ARGV, from, math.min(from + CHUNK - 1, END)))
  for i = 1, #held do
    found[#found + 1] = held[i]
  end
end
local reply = standing()
reply[11] = found
return reply
