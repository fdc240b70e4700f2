#!lua flags=no-writes
-- Reads a record for operators.
--
-- KEYS[1] the record
--
-- Returns now in ms, and the record's bytes or what is wrong with its key

local clock = redis.call('TIME')
local now_ms = math.floor((clock[1] * 1000000 + clock[2]) / 1000)
local value = redis.pcall('GET', KEYS[1])
if not value or value == 'w' then return { now_ms } end
if type(value) == 'table' then return { now_ms, '' } end
return { now_ms, value }
