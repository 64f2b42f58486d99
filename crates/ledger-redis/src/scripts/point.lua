-- Points a token to the coupon in whose state its answer is found, if it still points where the caller has seen it.
--
-- KEYS: the pointer. ARGV: where it was seen to point ('' for nowhere), where it shall point, for how many ms.

local present = redis.call('GET', KEYS[1]) or ''
if present == ARGV[1] or present == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return ARGV[2]
end
return present
