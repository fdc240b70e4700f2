#!lua flags=allow-oom
-- Gives a claim back. Runs without memory to spare: the record only gets smaller.
--
-- KEYS[1] the record
-- ARGV[1] token
-- ARGV[2] 1 if nothing happened in this attempt
--
-- Returns 1 written, 0 stale

-- include record.lua
-- include released.lua

local record, _, unreadable = read()
if unreadable then return 0 end
local token = tonumber(ARGV[1])
if not record or record.token < token then return 1 end
if record.token > token then return 0 end
if record.state == RELEASED then return 1 end
if record.state ~= RUNNING then return 0 end
write_released(record, ARGV[2] == '1')
return 1
