-- Makes a command a fact, if the coupon is still what the command was decided on.
--
-- KEYS: state, stream, tokens. ARGV[4]: the revision it was decided on, '0' for a new coupon. ARGV[5]: most issues at
-- which the decision holds, or ''. ARGV[6]: the first instant at which it no longer holds, or ''. ARGV[7]: '1' when
-- it closes the coupon. ARGV[8] to ARGV[14]: opens, closes, paused, deleted, quantity, valid_for, valid_until.
-- ARGV[15]: the coupon as JSON, ARGV[16]: who and under which token, as JSON. ARGV[17], ARGV[18]: the token's scope
-- and payload, or ''. ARGV[19]: a token's life, ARGV[20]: most tokens of a coupon.
--
-- The time of the revision is judged here, beside the issues; the JSON carries none that counts.

local creates = ARGV[4] == '0'
if creates then
  if epoch then
    return {'changed'}
  end
  epoch, revision, issued, lost, first, last, closed, retired = ARGV[1], '0', '0', '0', '0', '0', '', '0'
  revised = '0'
else
  local trouble = doubt()
  if trouble then
    return trouble
  end
  if retired == '1' then
    return {'retired', closed ~= '' and tonumber(closed) < tonumber(closes) and closed or closes}
  end
  if revision ~= ARGV[4] then
    return {'changed'}
  end
end

local now = later(later(clock(), last), revised)
if ARGV[5] ~= '' and tonumber(issued) - tonumber(lost) > tonumber(ARGV[5]) then
  return {'changed'}
end
if ARGV[6] ~= '' and tonumber(now) >= tonumber(ARGV[6]) then
  return {'changed'}
end
if ARGV[7] == '1' then
  closed = now
end
revision = string.format('%.0f', tonumber(revision) + 1)
revised = now
local existing = string.format('%.0f', tonumber(issued) - tonumber(lost))

-- First the write that can fail.
redis.call('XADD', KEYS[2], issued .. '-' .. revision, 'epoch', epoch, 'issued', existing, 'lost', lost,
  'revised', revised, 'closed', closed, 'coupon', ARGV[15], 'by', ARGV[16])
redis.call('HSET', KEYS[1], 'epoch', epoch, 'revision', revision, 'revised', revised, 'closed', closed,
  'issued', issued, 'lost', lost, 'first', first, 'last', last, 'retired', retired, 'opens', ARGV[8],
  'closes', ARGV[9], 'paused', ARGV[10], 'deleted', ARGV[11], 'quantity', ARGV[12], 'valid_for', ARGV[13],
  'valid_until', ARGV[14], 'coupon', ARGV[15])

if ARGV[17] ~= '' then
  if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[20]) then
    local all = redis.call('HGETALL', KEYS[3])
    local oldest, oldest_at
    for i = 1, #all, 2 do
      local at = tonumber(string.match(string.sub(all[i + 1], 17), '^(%d+) '))
      if at + tonumber(ARGV[19]) <= tonumber(now) then
        redis.call('HDEL', KEYS[3], all[i])
      elseif not oldest or at < oldest_at then
        oldest, oldest_at = all[i], at
      end
    end
    if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[20]) then
      redis.call('HDEL', KEYS[3], oldest)
    end
  end
  redis.call('HSET', KEYS[3], ARGV[17],
    ARGV[18] .. revised .. ' ' .. closed .. ' ' .. existing .. ' ' .. ARGV[15])
end
local reply = standing()
reply[11] = now
return reply
