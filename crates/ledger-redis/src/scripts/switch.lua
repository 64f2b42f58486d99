-- Makes a state that was built beside the coupon's own, from the store, the coupon's state: at once, under a higher
-- epoch.
--
-- KEYS: state, users, the users built beside, stream. ARGV[4]: the new epoch. ARGV[5]: how many users were built.
-- ARGV[6]: the last position that anyone has seen. ARGV[7], ARGV[8]: times of the first and the last issue.
-- ARGV[9]: the coupon as JSON. ARGV[10] to ARGV[18]: revision, revised, closed, opens, closes, paused, deleted,
-- quantity, valid_for; ARGV[19]: valid_until.

if epoch and tonumber(epoch) >= tonumber(ARGV[4]) then
  return {epoch == ARGV[4] and 'already' or 'epoch', epoch, issued}
end
if redis.call('HLEN', KEYS[3]) ~= tonumber(ARGV[5]) then
  return {'incomplete', redis.call('HLEN', KEYS[3])}
end
-- Positions go on above everything that was ever seen, also by the stream; or its next entry would be refused.
if redis.call('EXISTS', KEYS[4]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[4])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      local position, number = string.match(info[i + 1], '^(%d+)-(%d+)$')
      if tonumber(position) > tonumber(ARGV[6])
        or tonumber(position) == tonumber(ARGV[6]) and tonumber(number) > tonumber(ARGV[10]) then
        return {'stream-ahead', position}
      end
    end
  end
end
local missing = string.format('%.0f', tonumber(ARGV[6]) - tonumber(ARGV[5]))
redis.call('HSET', KEYS[1], 'epoch', ARGV[4], 'revision', ARGV[10], 'revised', ARGV[11], 'closed', ARGV[12],
  'issued', ARGV[6], 'lost', missing, 'fenced', '0', 'first', ARGV[7], 'last', ARGV[8], 'retired', '0', 'opens', ARGV[13],
  'closes', ARGV[14], 'paused', ARGV[15], 'deleted', ARGV[16], 'quantity', ARGV[17], 'valid_for', ARGV[18],
  'valid_until', ARGV[19], 'coupon', ARGV[9])
if ARGV[5] == '0' then
  redis.call('UNLINK', KEYS[2], KEYS[3])
else
  redis.call('RENAME', KEYS[3], KEYS[2])
end
return {'ok', missing}
