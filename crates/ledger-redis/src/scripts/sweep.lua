-- Forgets consumers of a group that have gone and left nothing in hand. What they had in hand is taken over first, by
-- whoever claims it; one that comes back is made anew by its next call.
--
-- KEYS: stream. ARGV: group, who asks, and after how many milliseconds of silence a consumer has gone.

local gone = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local it = {}
  for i = 1, #consumer, 2 do
    it[consumer[i]] = consumer[i + 1]
  end
  if it['name'] ~= ARGV[2] and it['pending'] == 0 and it['idle'] >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], it['name'])
    gone = gone + 1
  end
end
return gone
