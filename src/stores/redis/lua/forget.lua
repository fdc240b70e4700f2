#!lua flags=allow-oom
-- Deletes a record, readable or not. Whoever watches it goes on being told of what follows.
--
-- KEYS[1] the record
--
-- Returns 1 if there was one, else 0

-- include record.lua

local record, _, unreadable = read()
if not record and not unreadable then return 0 end
redis.call('DEL', KEYS[1])
if watched then redis.call('SET', KEYS[1], 'w', 'PX', 60000) end
notify()
return 1
