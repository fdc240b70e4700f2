-- Included by release and abandon.

-- Claimable at once. Keeps owner and token, so that a late renewal can't bring it back.
local function write_released(record, clean)
  record.state = RELEASED
  record.since = now_ms
  if clean and not record.takeover and record.steps == '' then record.fingerprint = '' end
  record.takeover = false
  write(record)
end
