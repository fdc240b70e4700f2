-- Included by every script that reads or writes a record.
--
-- A record is one string: a head of fixed layout, then owner, fingerprint, label, envelope and body. A hash
-- costs about 200 bytes more for each record as soon as one of its values is longer than 64 bytes.
--
-- head:  format, state, flags, recovery, token, attempt, since, retain, retain unknown, then the lengths of
--        owner, fingerprint, label, envelope and body. Times are milliseconds.
-- state: 1 running, 2 released, 3 completed, 4 unknown
-- since: when the record came into this state, from which its expiry follows
-- A running record has the end of its lease, in six bytes, where others have the envelope.
-- flags: 1 takeover, 2 failed, 4 somebody watches, 8 steps
-- steps: with flag 8 the envelope begins with them, their length in four bytes first. Each is the lengths of name and
--        text, these two; the text is the client's.
--
-- A string that is just 'w' is no record: somebody watches a key that is new.

local LAYOUT = '<BBBBI7I3I6I6I6HHI3I3I4'
local HEAD_BYTES = 46
local FORMAT = 1
local RUNNING, RELEASED, COMPLETED, UNKNOWN = 1, 2, 3, 4

local clock = redis.call('TIME')
local now_us = clock[1] * 1000000 + clock[2]
local now_ms = math.floor(now_us / 1000)
local watched = false

local function expiry_of(record)
  if record.state == RUNNING then return record.lease_until + record.retain_unknown end
  local is_clean = record.state == RELEASED and record.fingerprint == ''
  if record.state == COMPLETED or is_clean then return record.since + record.retain end
  return record.since + record.retain_unknown
end

-- Returns the record if there is one that has not expired, the token of whatever was there, and why it can't
-- be read. What can't be read is never taken for absent.
local function read()
  local value = redis.pcall('GET', KEYS[1])
  if not value then return nil, 0, nil end
  if type(value) == 'table' then return nil, 0, 'It is damaged: its key holds no string.' end
  if value == 'w' then
    watched = true
    return nil, 0, nil
  end
  local format = string.byte(value, 1)
  if format and format > FORMAT then
    return nil, 0, 'It was written by a newer release: format ' .. format .. ', and this one reads up to ' .. FORMAT .. '.'
  end
  if format ~= FORMAT or #value < HEAD_BYTES then return nil, 0, 'It is damaged: it has no head.' end

  local record = {}
  local flags, owner_bytes, fingerprint_bytes, label_bytes, envelope_bytes, body_bytes, _
  _, record.state, flags, record.recovery, record.token, record.attempt, record.since, record.retain,
    record.retain_unknown, owner_bytes, fingerprint_bytes, label_bytes, envelope_bytes, body_bytes = struct.unpack(LAYOUT, value)
  local fingerprint_at = HEAD_BYTES + owner_bytes
  local label_at = fingerprint_at + fingerprint_bytes
  local envelope_at = label_at + label_bytes
  local body_at = envelope_at + envelope_bytes
  if #value ~= body_at + body_bytes or record.state < RUNNING or record.state > UNKNOWN or record.recovery > 2 then
    return nil, 0, 'It is damaged: its head does not fit the rest.'
  end
  -- Above that a number here is no longer exact, and no token would be higher.
  local has_token = record.token <= 9007199254740991
  watched = bit.band(flags, 4) ~= 0
  record.fingerprint = string.sub(value, fingerprint_at + 1, label_at)
  -- A clean release alone stands for no request: any other record without one would be run as new.
  if record.fingerprint == '' and record.state ~= RELEASED then return nil, 0, 'It is damaged: its fingerprint is missing.' end
  record.steps, record.envelope = '', string.sub(value, envelope_at + 1, body_at)
  if bit.band(flags, 8) ~= 0 then
    local steps_bytes = #record.envelope > 4 and struct.unpack('<I4', record.envelope) or 0
    if steps_bytes == 0 or steps_bytes + 4 > #record.envelope then return nil, 0, 'It is damaged: its steps are cut short.' end
    record.steps = string.sub(record.envelope, 5, steps_bytes + 4)
    record.envelope = string.sub(record.envelope, steps_bytes + 5)
  end
  if record.state == RUNNING then
    if #record.envelope ~= 6 then return nil, 0, 'It is damaged: its lease has no end.' end
    record.lease_until = struct.unpack('<I6', record.envelope)
  end
  if expiry_of(record) <= now_ms then return nil, has_token and record.token or 0, nil end
  if not has_token then return nil, 0, 'It is damaged: its token is too large.' end
  record.takeover = bit.band(flags, 1) ~= 0
  record.failed = bit.band(flags, 2) ~= 0
  record.owner = string.sub(value, HEAD_BYTES + 1, fingerprint_at)
  record.label = string.sub(value, label_at + 1, envelope_at)
  record.body = string.sub(value, body_at + 1)
  return record, record.token, nil
end

local function notify()
  -- A user without the right to publish loses the notice, not the write: whoever waits also polls.
  if watched then redis.pcall('PUBLISH', KEYS[1], '') end
end

local function write(record)
  local flags = (record.takeover and 1 or 0) + (record.failed and 2 or 0) + (watched and 4 or 0)
  -- Steps outlive whatever may run again.
  local steps = record.steps or ''
  if record.state == COMPLETED and not record.failed or record.fingerprint == '' then steps = '' end
  if steps ~= '' then
    flags = flags + 8
    steps = struct.pack('<I4', #steps) .. steps
  end
  local envelope, body = '', ''
  if record.state == RUNNING then envelope = struct.pack('<I6', record.lease_until) end
  if record.state == COMPLETED then envelope, body = record.envelope, record.body end
  envelope = steps .. envelope
  local head = struct.pack(LAYOUT, FORMAT, record.state, flags, record.recovery, record.token, record.attempt,
    record.since, record.retain, record.retain_unknown,
    #record.owner, #record.fingerprint, #record.label, #envelope, #body)
  redis.call('SET', KEYS[1], head .. record.owner .. record.fingerprint .. record.label .. envelope .. body,
    'PXAT', string.format('%.0f', expiry_of(record)))
  notify()
end

-- Never goes back, even where the clock did or the store forgot what it gave out before.
local function next_token(previous)
  return math.max(previous + 1, now_us)
end
