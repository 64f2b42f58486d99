-- Reads who holds the positions after one, from the entries that are still in the stream.
--
-- KEYS: state, stream. ARGV[4]: the position after which to begin. ARGV[5]: how many positions are wanted; whole
-- entries are returned until there are so many or the reply has become large.

local trouble = doubt()
if trouble then
  return trouble
end
local LARGE = 1048576
local after, wanted = tonumber(ARGV[4]), tonumber(ARGV[5])
local found, positions, bytes = {}, 0, 0
local from = string.format('%.0f-0', after + 1)
while positions < wanted and bytes < LARGE do
  local entries = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 8)
  if #entries == 0 then
    break
  end
  for _, entry in ipairs(entries) do
    from = '(' .. entry[1]
    if entry[2][1] == 'issued' and positions < wanted and bytes < LARGE then
      local _, _, begins, count = struct.unpack('>BI4I4I4', entry[2][2])
      positions = begins + count - 1 - after
      bytes = bytes + #entry[2][2]
      found[#found + 1] = entry[2][2]
    end
  end
end
local reply = standing()
reply[11] = found
return reply
