-- Included by the scripts of a claim's holder, which may tell whose claim it is, so that a store that forgot the
-- record learns it again. In one argument, since nearly no write needs it:
-- takeover, recovery, attempt, retain, retain unknown, the lengths of owner, fingerprint and label; these three.

local function lease_in(argument, token)
  local takeover, recovery, attempt, retain, retain_unknown, owner_bytes, fingerprint_bytes, label_bytes, at =
    struct.unpack('<BBI3I6I6HHI3', argument)
  return {
    token = token,
    steps = '',
    takeover = takeover == 1,
    recovery = recovery,
    attempt = attempt,
    retain = retain,
    retain_unknown = retain_unknown,
    owner = string.sub(argument, at, at + owner_bytes - 1),
    fingerprint = string.sub(argument, at + owner_bytes, at + owner_bytes + fingerprint_bytes - 1),
    label = string.sub(argument, at + owner_bytes + fingerprint_bytes),
  }
end
