#!lua flags=allow-oom
-- Extends the lease of the latest token, also after its end. A record that the store forgot is asserted again.
-- Runs without memory to spare: a claim that can't be renewed would be taken over while its handler runs.
--
-- KEYS[1] the record
-- ARGV[1] token
-- ARGV[2] lease in ms
-- ARGV[3] whose claim it is: see lease.lua. May be left out at first.
--
-- Returns 1 renewed, 0 stale, 2 if there is no such record and ARGV[3] is needed: nothing was written

-- include record.lua
-- include lease.lua

local record, _, unreadable = read()
if unreadable then return 0 end

local token = tonumber(ARGV[1])
local lease_until = now_ms + tonumber(ARGV[2])
if not record or record.token < token then
  if not ARGV[3] then return 2 end
  record = lease_in(ARGV[3], token)
  record.state = RUNNING
  record.since = now_ms
  record.lease_until = lease_until
  write(record)
  return 1
end
if record.token > token or record.state == RELEASED then return 0 end
if record.state ~= RUNNING then return 1 end
-- A clock that went back must not shorten a lease that was already given.
record.lease_until = math.max(record.lease_until, lease_until)
write(record)
return 1
