-- Decides one batch of issues of one coupon: the same checks in the same order as `coupon_core::decide`.
--
-- KEYS: state, users, stream. ARGV[4]: how many users. ARGV[5]: their key hashes, 8 bytes each, zeros for none; empty
-- when nobody has one. ARGV[6] and on: the users.
--
-- Lua cannot roll back. So everything is decided before the first write, and the first write is the stream entry, the
-- only one that can fail: for want of memory, or because the stream has gone further than the state.

local trouble = doubt()
if trouble then
  return trouble
end
if deleted == '1' then
  return {'deleted'}
end
if retired == '1' then
  return {'retired', closed ~= '' and tonumber(closed) < tonumber(closes) and closed or closes}
end

local now = later(clock(), last)
local refusal, since = '', ''
if closed ~= '' then
  refusal, since = 'closed', tonumber(closed) < tonumber(closes) and closed or closes
elseif tonumber(now) >= tonumber(closes) then
  refusal, since = 'closed', closes
elseif tonumber(now) < tonumber(opens) then
  refusal, since = 'not-yet-open', opens
elseif paused == '1' then
  refusal = 'paused'
end

local position = tonumber(issued)
local left = math.min(tonumber(quantity) - (position - tonumber(lost)), 4294967295 - position)
if refusal ~= '' then
  left = 0
end

local expires = valid_until
if expires == '' then
  local ends = tonumber(now) + tonumber(valid_for)
  if ends < 253402300799999999 then
    expires = struct.pack('>I8', ends)
  else
    -- The end of the year 9999, the last instant there is; no Lua number is exactly that.
    expires = '\3\132\68\12\204\115\95\255'
  end
end
local times = struct.pack('>I8', tonumber(now)) .. expires

-- A call of `unpack` is limited by Lua's stack, a reply by sense: users are looked up in chunks.
local CHUNK = 1000
local FIRST = 6
local END = FIRST - 1 + tonumber(ARGV[4])
local keys = ARGV[5]
local with_keys = keys ~= ''
local outcomes, held = {}, {}
local mine, fields, winners, winner_keys = {}, {}, {}, {}
local won = 0
for from = FIRST, END, CHUNK do
  local to = math.min(from + CHUNK - 1, END)
  local had = redis.call('HMGET', KEYS[2], unpack(ARGV, from, to))
  for i = from, to do
    local user = ARGV[i]
    local has = had[i - from + 1] or mine[user]
    if has then
      outcomes[#outcomes + 1] = 'h'
      held[#held + 1] = has
    elseif left == 0 then
      outcomes[#outcomes + 1] = 'r'
    else
      left = left - 1
      won = won + 1
      local grant = struct.pack('>I4', position + won) .. times
      if with_keys then
        local key = string.sub(keys, (i - FIRST) * 8 + 1, (i - FIRST) * 8 + 8)
        winner_keys[won] = key -- the stream entry
        if key ~= '\0\0\0\0\0\0\0\0' then
          grant = grant .. key
        end
      end
      mine[user] = grant
      winners[won] = user -- the stream entry
      fields[2 * won - 1] = user
      fields[2 * won] = grant
      outcomes[#outcomes + 1] = 'i'
    end
  end
end

if won > 0 then
  local ends = position + won
  local entry = struct.pack('>BI4I4I4', with_keys and 2 or 1, tonumber(epoch), position + 1, won) .. times -- the stream entry
  entry = entry .. table.concat(winner_keys) .. table.concat(winners, '\0') -- the stream entry
  redis.call('XADD', KEYS[3], string.format('%.0f-0', ends), 'issued', entry) -- the stream entry
  for from = 1, 2 * won, 2 * CHUNK do
    redis.call('HSET', KEYS[2], unpack(fields, from, math.min(from + 2 * CHUNK - 1, 2 * won)))
  end
  if position == 0 then
    first = now
    redis.call('HSET', KEYS[1], 'first', now)
  end
  issued, last = string.format('%.0f', ends), now
  redis.call('HSET', KEYS[1], 'issued', issued, 'last', last)
end

local reply = standing()
reply[11] = now
reply[12] = expires
reply[13] = refusal
reply[14] = since
reply[15] = won
reply[16] = table.concat(outcomes)
reply[17] = held
return reply
