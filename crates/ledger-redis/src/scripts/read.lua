-- Reads a coupon, the clock, and what one token left behind.
--
-- KEYS: state, tokens. ARGV[4]: the token's scope, or ''.

local trouble = doubt()
if trouble then
  return trouble
end
local token = ''
if ARGV[4] ~= '' then
  token = redis.call('HGET', KEYS[2], ARGV[4]) or ''
end
local reply = standing()
reply[11] = clock()
reply[12] = retired
reply[13] = token
return reply
