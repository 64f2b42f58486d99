-- Prolongs a lease, if it is still its owner who asks. KEYS: the lock. ARGV: the owner's token, the lease in ms.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
