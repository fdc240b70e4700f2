#!lua
-- Writes what became of one step: in the place of the step of that name, or behind the others.
-- With memory refused, the store runs the end of a step again under `flags=allow-oom`, without its result.
--
-- KEYS[1] the record
-- ARGV[1] token
-- ARGV[2] name
-- ARGV[3] text of the step, or nothing for one that is as good as never begun
-- ARGV[4] lease in ms
-- ARGV[5] whose claim it is: see lease.lua. May be left out at first.
--
-- Returns 1 written, 0 stale, 2 if there is no such record and ARGV[5] is needed: nothing was written

-- include record.lua
-- include lease.lua

local record, _, unreadable = read()
if unreadable then return 0 end

local token = tonumber(ARGV[1])
if not record or record.token < token then
  if not ARGV[5] then return 2 end
  record = lease_in(ARGV[5], token)
  record.state = RUNNING
  record.since = now_ms
  record.lease_until = now_ms + tonumber(ARGV[4])
elseif record.token > token or record.state ~= RUNNING then
  return 0
end

local function entry(name, text)
  return text == '' and '' or struct.pack('<HI4', #name, #text) .. name .. text
end

local changed = entry(ARGV[2], ARGV[3])
local kept, at, found = {}, 1, false
while at <= #record.steps do
  local name_bytes, text_bytes, name_at = struct.unpack('<HI4', record.steps, at)
  local next_at = name_at + name_bytes + text_bytes
  if string.sub(record.steps, name_at, name_at + name_bytes - 1) == ARGV[2] then
    kept[#kept + 1], found = changed, true
  else
    kept[#kept + 1] = string.sub(record.steps, at, next_at - 1)
  end
  at = next_at
end
if not found then kept[#kept + 1] = changed end
record.steps = table.concat(kept)
write(record)
return 1
