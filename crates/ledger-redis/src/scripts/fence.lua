-- Puts a fence around a coupon's state, or takes it away: inside nothing is decided and nothing is told.
--
-- KEYS: state. ARGV[1]: '1' or '0'. Returns epoch and last position, or nothing when there is no state.

if redis.call('EXISTS', KEYS[1]) == 0 then
  return false
end
redis.call('HSET', KEYS[1], 'fenced', ARGV[1])
return redis.call('HMGET', KEYS[1], 'epoch', 'issued')
