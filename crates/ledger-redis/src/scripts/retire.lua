-- Gives up a coupon's members and stream after the sale. The facts stay, so that the coupon is known to be over.
--
-- KEYS: state, users, stream, tokens. ARGV[4]: the highest position that the store has.

local trouble = doubt()
if trouble then
  return trouble
end
if retired == '1' then
  return {'retired', closes}
end
if deleted ~= '1' and closed == '' and tonumber(later(clock(), last)) < tonumber(closes) then
  return {'not-yet', 'it has not closed'}
end
if issued ~= ARGV[4] then
  return {'not-yet', 'the store has position ' .. ARGV[4] .. ' of ' .. issued}
end
if redis.call('XLEN', KEYS[3]) > 0 then
  return {'not-yet', 'its stream holds entries that not every group has'}
end
redis.call('HSET', KEYS[1], 'retired', '1')
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4])
return {'retired', closes}
