#!lua
-- Marks a record, or a key that is new, as watched: only then do the other scripts publish its changes. In a
-- cluster each message goes to every node, and nearly no request is waited for.
--
-- KEYS[1] the record, and the name of the channel

-- include record.lua

local record, _, unreadable = read()
if unreadable or watched then return 0 end
if not record then
  redis.call('SET', KEYS[1], 'w', 'PX', 60000)
  return 1
end
-- The flags are the third byte.
local flags = string.byte(redis.call('GETRANGE', KEYS[1], 2, 2))
redis.call('SETRANGE', KEYS[1], 2, string.char(flags + 4))
return 1
