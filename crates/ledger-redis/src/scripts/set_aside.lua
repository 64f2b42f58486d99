-- Puts an entry aside for one group: into the dead-letter stream, out of the group's way.
--
-- KEYS: stream, dead letters. ARGV: group, id, why.

if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then
  return 0
end
local letter = {'group', ARGV[1], 'entry', ARGV[2], 'why', ARGV[3]}
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if entry then
  for _, part in ipairs(entry[2]) do
    letter[#letter + 1] = part
  end
end
redis.call('XADD', KEYS[2], '*', unpack(letter))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return 1
