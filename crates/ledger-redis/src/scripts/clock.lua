-- The clock that judges: this server's own, so that all who ask are judged by one. Microseconds since 1970 as decimal
-- text, because a Lua number holds them exactly only until the year 2255.
local function clock()
  local time = redis.call('TIME')
  return time[1] .. string.format('%06d', time[2])
end
