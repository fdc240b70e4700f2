#!lua
-- Claims a record for a request, or says what stands in the way.
--
-- KEYS[1] the record
-- ARGV[1] in one: recovery of the route (0 refuse, 1 reconcile, 2 rerun), retain, retain unknown, lease, the time
--         on this server's clock after which the claim must not be carried out, the lengths of owner,
--         fingerprint and label; these three. Times are milliseconds.
--
-- Returns 0 claimed: token, attempt, what was taken over, now, steps (with the answer of a failure: envelope, body)
--         1 completed: failed, ms to its expiry, envelope, body
--         2 running: age in ms, lease left in ms
--         3 another request   4 can't be compared   5 lapsed
--         6 unreadable: why
--         7 too late: now
-- taken over: 0 nothing, 1 lapsed, 2 unknown, 3 released, 4 failed

-- include record.lua

-- A fingerprint is a list of digests, each: length and bytes of its kind, length and bytes of the digest. A
-- kind of no length is not compared. A SHA-256 of a common kind is one byte for the kind, and its 32 bytes.
local SHA256_KINDS = { [255] = 'b1', [254] = 'v1', [253] = 'c1' }

-- Nothing for one that is cut short.
local function digests_of(fingerprint)
  local digests, at = {}, 1
  while at <= #fingerprint do
    local first = string.byte(fingerprint, at)
    local kind, bytes, from = SHA256_KINDS[first], 32, at + 1
    if not kind then
      local kind_end = at + first
      if kind_end + 2 > #fingerprint then return nil end
      kind, bytes, from = string.sub(fingerprint, at + 1, kind_end), struct.unpack('<H', fingerprint, kind_end + 1), kind_end + 3
    end
    at = from + bytes
    if at - 1 > #fingerprint then return nil end
    if kind ~= '' then digests[kind] = string.sub(fingerprint, from, at - 1) end
  end
  return digests
end

local function compare(a, b)
  if a == b and #a > 3 and string.byte(a, 1) > 0 then return 'same' end
  local digests_of_a, digests_of_b, shared = digests_of(a), digests_of(b), false
  if not digests_of_a then return 'damaged' end
  for kind, digest in pairs(digests_of_a) do
    if digests_of_b[kind] == digest then return 'same' end
    if digests_of_b[kind] then shared = true end
  end
  return shared and 'different' or 'incomparable'
end

local TOMBSTONES = { ['too-large'] = true, ['cut-short'] = true, ['not-serializable'] = true, ['store-refused'] = true }

-- The parser here refuses halves of surrogate pairs, which the store reads, and takes control characters, which it
-- does not.
local function parsed(json)
  if string.find(json, '[%z\1-\31]') then return nil end
  local ok, value = pcall(cjson.decode, (string.gsub(json, '\\u[dD][89a-fA-F]%x%x', '\\n')))
  return ok and type(value) == 'table' and value or nil
end

local function is_text_or_null(value)
  return value == cjson.null or type(value) == 'string'
end

local function is_step(json)
  local step = parsed(json)
  if not step or type(step[1]) ~= 'string' then return false end
  if step[2] == 'begun' then return type(step[3]) == 'boolean' and is_text_or_null(step[4]) end
  if step[2] ~= 'finished' or not is_text_or_null(step[3]) then return false end
  return step[4] == 'nothing' or step[4] == 'not-kept' or step[4] == 'json' and type(step[5]) == 'string'
end

-- Whether the store will be able to read them: a claim that was granted can't be taken back.
local function are_steps(steps)
  local at = 1
  while at <= #steps do
    if at + 5 > #steps then return false end
    local name_bytes, text_bytes, name_at = struct.unpack('<HI4', steps, at)
    local text_at = name_at + name_bytes
    at = text_at + text_bytes
    if at - 1 > #steps or not is_step(string.sub(steps, text_at, at - 1)) then return false end
  end
  return true
end

local function are_headers(list)
  if type(list) ~= 'table' or #list % 2 ~= 0 then return false end
  for _, text in ipairs(list) do
    if type(text) ~= 'string' then return false end
  end
  return true
end

-- Whether the store will be able to read the answer of a failure: after the claim it is nowhere else.
local function is_envelope(envelope)
  if string.sub(envelope, 1, 1) ~= '[' then
    local status = string.match(envelope, '^[^%z]*')
    local _, texts = string.gsub(envelope, '%z', '')
    return #status <= 9 and string.find(status, '^%d+$') ~= nil and texts % 2 == 0
  end
  local fields = parsed(envelope)
  if not fields or type(fields[1]) ~= 'number' then return false end
  if type(fields[2]) == 'string' then
    return TOMBSTONES[fields[2]] == true and (fields[3] == nil or type(fields[3]) == 'string')
  end
  return are_headers(fields[2]) and (fields[3] == nil or are_headers(fields[3]))
end

local route, retain, retain_unknown, lease_ms, deadline, owner_bytes, fingerprint_bytes, _, owner_at =
  struct.unpack('<BI6I6I6I6HHI3', ARGV[1])
local fingerprint_at = owner_at + owner_bytes
local label_at = fingerprint_at + fingerprint_bytes
local owner = string.sub(ARGV[1], owner_at, fingerprint_at - 1)
local fingerprint = string.sub(ARGV[1], fingerprint_at, label_at - 1)

if now_ms > deadline then return { 7, now_ms } end

local record, previous_token, unreadable = read()
if unreadable then return { 6, unreadable } end

local function grant(taken_over)
  local token = next_token(previous_token)
  local attempt = record and record.attempt + 1 or 1
  local steps = taken_over > 0 and record.steps or ''
  write({
    state = RUNNING,
    takeover = taken_over > 0,
    recovery = route,
    token = token,
    attempt = attempt,
    since = now_ms,
    retain = retain,
    retain_unknown = retain_unknown,
    lease_until = now_ms + lease_ms,
    owner = owner,
    fingerprint = fingerprint,
    label = string.sub(ARGV[1], label_at),
    steps = steps,
  })
  if taken_over == 4 then return { 0, token, attempt, taken_over, now_ms, steps, record.envelope, record.body } end
  -- What comes last may be left out, and mostly is: a client makes a buffer of each text.
  return { 0, token, attempt, taken_over, now_ms, steps ~= '' and steps or nil }
end

-- Nothing there, or a clean release, which may even carry another request.
if not record or record.fingerprint == '' then return grant(0) end

local comparison = compare(record.fingerprint, fingerprint)
if comparison == 'different' then return { 3 } end
if comparison == 'incomparable' then return { 4 } end
if comparison == 'damaged' then return { 6, 'It is damaged: its fingerprint is cut short.' } end

if record.state == RUNNING then
  if record.owner == owner then
    -- The same claim arrived twice: the same token, not a second winner.
    record.lease_until = math.max(record.lease_until, now_ms + lease_ms)
    write(record)
    return { 0, record.token, record.attempt, record.takeover and 1 or 0, now_ms, record.steps }
  end
  if record.lease_until > now_ms then
    return { 2, math.max(0, now_ms - record.since), record.lease_until - now_ms }
  end
end

local taken_over = 0
if record.state == RUNNING then taken_over = 1 end
if record.state == UNKNOWN then taken_over = 2 end
if record.state == RELEASED then taken_over = 3 end
if record.state == COMPLETED and record.failed then taken_over = 4 end

-- Both the record's policy and the route's must allow it. A failure that was kept is an answer: only a
-- function that can find out the truth may replace it.
if taken_over > 0 and route > 0 and record.recovery >= route and (taken_over < 4 or route == 1) then
  if taken_over == 4 and not is_envelope(record.envelope) then
    return { 6, 'It is damaged: its answer can not be read.' }
  end
  if not are_steps(record.steps) then return { 6, 'It is damaged: its steps can not be read.' } end
  return grant(taken_over)
end
if record.state == COMPLETED then
  return { 1, record.failed and 1 or 0, expiry_of(record) - now_ms, record.envelope, record.body }
end
return { 5 }
