#!lua flags=allow-oom
-- Extends the lease of the latest token, also after its end. A record that the store forgot is asserted again.
-- Runs without memory to spare: a claim that can't be renewed would be taken over while its handler runs.
--
-- KEYS[1]  the record
-- ARGV[1] to ARGV[9]: see lease.lua
-- ARGV[10] lease in ms
--
-- Returns 1 renewed, 0 stale

-- include record.lua
-- include lease.lua

local record, _, unreadable = read()
if unreadable then return 0 end

local lease_until = now_ms + tonumber(ARGV[10])
if not record or record.token < lease.token then
  lease.state = RUNNING
  lease.since = now_ms
  lease.lease_until = lease_until
  write(lease)
  return 1
end
if record.token > lease.token or record.state == RELEASED then return 0 end
if record.state ~= RUNNING then return 1 end
-- A clock that went back must not shorten a lease that was already given.
record.lease_until = math.max(record.lease_until, lease_until)
write(record)
return 1
