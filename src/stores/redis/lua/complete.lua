#!lua
-- Records how a run ended: once, and for the latest token only.
-- With memory refused, the store runs it again under `flags=allow-oom`, without the body.
--
-- KEYS[1]  the record
-- ARGV[1] to ARGV[9]: see lease.lua
-- ARGV[10] 3 completed, 4 unknown
-- ARGV[11] 1 for a failure that is kept
-- ARGV[12] envelope: the answer without its body
-- ARGV[13] body
--
-- Returns 1 written, 0 stale

-- include record.lua
-- include lease.lua

local record, _, unreadable = read()
if unreadable then return 0 end
if record and record.token >= lease.token then
  if record.token > lease.token or record.state == RELEASED then return 0 end
  -- The first outcome stands: the same completion sent again is acknowledged and writes nothing.
  if record.state == COMPLETED then return 1 end
end
lease.state = tonumber(ARGV[10])
lease.takeover = false
lease.failed = ARGV[11] == '1'
lease.since = now_ms
lease.envelope = ARGV[12]
lease.body = ARGV[13]
write(lease)
return 1
