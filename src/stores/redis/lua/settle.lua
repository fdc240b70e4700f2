#!lua
-- Gives a record without a live lease a definite end, under a new token that shuts out late owners.
--
-- KEYS[1] the record
-- ARGV[1] release or response
-- ARGV[2] envelope of the response
-- ARGV[3] body
--
-- Returns settled, absent, running, completed or unreadable

-- include record.lua

local record, _, unreadable = read()
if unreadable then return 'unreadable' end
if not record then return 'absent' end
if record.state == RUNNING and record.lease_until > now_ms then return 'running' end
if record.state == COMPLETED and not record.failed then return 'completed' end
-- A clean release stands for no request, so there is nothing to answer.
if ARGV[1] == 'response' and record.fingerprint == '' then return 'absent' end

record.token = next_token(record.token)
record.since = now_ms
record.takeover = false
record.failed = false
if ARGV[1] == 'release' then
  record.state = RELEASED
  record.fingerprint = ''
else
  record.state = COMPLETED
  record.envelope = ARGV[2]
  record.body = ARGV[3]
end
write(record)
return 'settled'
