-- What every script about one coupon begins with.
--
-- KEYS[1] is the coupon's state. ARGV[1] is the epoch that the caller knows ('0': none yet), ARGV[2] the highest
-- position that it has seen, ARGV[3] the revision whose facts it has.
local epoch, revision, revised, closed, issued, lost, first, last, retired,
  opens, closes, paused, deleted, quantity, valid_for, valid_until, fenced =
  unpack(redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'revised', 'closed', 'issued', 'lost', 'first', 'last',
    'retired', 'opens', 'closes', 'paused', 'deleted', 'quantity', 'valid_for', 'valid_until',
    'fenced'))

-- Why nothing may be decided or said from this state, or nil: it is not there, it is of another epoch, or it knows
-- less than the caller has been told already: each means that something was lost. Or somebody who reconciles has put
-- a fence around it.
local function doubt()
  if not epoch then
    return {'missing'}
  end
  if fenced == '1' then
    return {'fenced', epoch, issued}
  end
  if ARGV[1] ~= '0' and epoch ~= ARGV[1] then
    return {'epoch', epoch, issued}
  end
  if tonumber(issued) < tonumber(ARGV[2]) then
    return {'behind', epoch, issued}
  end
  return nil
end

-- The beginning of every good reply: where the coupon stands, and its facts if the caller has another revision's.
local function standing()
  local facts = ''
  if revision ~= ARGV[3] then
    facts = redis.call('HGET', KEYS[1], 'coupon')
  end
  return {'ok', epoch, revision, facts, revised, closed, issued, lost, first, last}
end

-- The later of two instants, as text.
local function later(one, other)
  if tonumber(other) > tonumber(one) then
    return other
  end
  return one
end
