-- Included by release and abandon.

-- Claimable at once. Keeps owner and token, so that a late renewal can't bring it back.
local function write_released(record, clean)
  record.state = RELEASED
  if clean and not record.takeover then
    record.fingerprint = ''
    record.expires = now_ms + record.retain
  else
    record.expires = now_ms + record.retain_unknown
  end
  record.takeover = false
  record.since = 0
  record.lease_until = 0
  write(record)
end
