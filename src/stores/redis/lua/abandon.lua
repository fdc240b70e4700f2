#!lua flags=allow-oom
-- Undoes a claim whose reply never arrived.
--
-- KEYS[1] the record
-- ARGV[1] owner
--
-- Returns 1 if there was such a claim, else 0

-- include record.lua
-- include released.lua

local record = read()
if not record or record.state ~= RUNNING or record.owner ~= ARGV[1] then return 0 end
write_released(record, true)
return 1
