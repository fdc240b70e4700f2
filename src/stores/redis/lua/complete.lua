#!lua
-- Records how a run ended: once, and for the latest token only.
-- With memory refused, the store runs it again under `flags=allow-oom`, without the body.
--
-- KEYS[1] the record
-- ARGV[1] token
-- ARGV[2] 3 completed, 4 unknown
-- ARGV[3] 1 for a failure that is kept
-- ARGV[4] envelope: the answer without its body
-- ARGV[5] body
-- ARGV[6] whose claim it is: see lease.lua. May be left out at first.
--
-- Returns 1 written, 0 stale, 2 if there is no such record and ARGV[6] is needed: nothing was written

-- include record.lua
-- include lease.lua

local record, _, unreadable = read()
if unreadable then return 0 end

local token = tonumber(ARGV[1])
if not record or record.token < token then
  if not ARGV[6] then return 2 end
  record = lease_in(ARGV[6], token)
else
  if record.token > token or record.state == RELEASED then return 0 end
  -- The first outcome stands: the same completion sent again is acknowledged and writes nothing.
  if record.state == COMPLETED then return 1 end
end
record.state = tonumber(ARGV[2])
record.takeover = false
record.failed = ARGV[3] == '1'
record.since = now_ms
record.envelope = ARGV[4]
record.body = ARGV[5]
write(record)
return 1
