-- Included by the scripts of a claim's holder: ARGV[1] to ARGV[9] say whose claim it is, so that a store that
-- forgot the record learns it again.
--
-- ARGV[1] token
-- ARGV[2] attempt
-- ARGV[3] owner
-- ARGV[4] fingerprint
-- ARGV[5] recovery: 0 refuse, 1 reconcile, 2 rerun
-- ARGV[6] how long a completed record answers, in ms
-- ARGV[7] how long a record whose outcome is unknown is kept, in ms
-- ARGV[8] label
-- ARGV[9] takeover: 1 if an earlier attempt ended without a known outcome

local lease = {
  token = tonumber(ARGV[1]),
  attempt = tonumber(ARGV[2]),
  owner = ARGV[3],
  fingerprint = ARGV[4],
  recovery = tonumber(ARGV[5]),
  retain = tonumber(ARGV[6]),
  retain_unknown = tonumber(ARGV[7]),
  label = ARGV[8],
  takeover = ARGV[9] == '1',
}
