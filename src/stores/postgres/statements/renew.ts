import {
  ask,
  assignments,
  found,
  freshNow,
  held,
  nowColumn,
  recordColumn,
  span,
  writeResult,
  noResponse,
  noSteps,
} from './parts.ts'

/**
 * Extends the leases of many records at once, each for its latest token, also after its end. Rows that another
 * transaction holds are passed over: a single one that stands still must not hold up all the others.
 *
 * In $1: `leases`, a list of `id`, `token` and `lease_ms`. Gives a row for each, in their order.
 */
export function renewSql(records: string): string {
  const until = `greatest(r.lease_until, t.now + ${span('l.lease_ms')})`
  return `
WITH ${ask('leases json')},
lease AS MATERIALIZED (
  SELECT l.id, l.token, l.lease_ms, row_number() OVER () AS position
  FROM ask a, json_to_recordset(a.leases) AS l(id text, token bigint, lease_ms float8)
),
locked AS MATERIALIZED (
  SELECT r.* FROM ${records} r WHERE r.id IN (SELECT l.id FROM lease l)
  -- Always in one order, or two batches could wait for each other.
  ORDER BY r.id FOR NO KEY UPDATE OF r SKIP LOCKED
),
renewed AS (
  UPDATE ${records} r
  SET ${assignments({ lease_until: until, expires_at: `${until} + ${span('r.retain_unknown_ms')}` })}
  FROM lease l JOIN locked k ON k.id = l.id
  WHERE r.id = l.id AND r.format = 1 AND r.token = l.token AND r.state = 'running'
    AND (SELECT r.expires_at > t.now FROM ${freshNow})
  RETURNING r.id, r.token
)
SELECT ${nowColumn},
  CASE
    WHEN n.id IS NOT NULL THEN 'renewed'
    WHEN k.id IS NOT NULL THEN 'found'
    WHEN EXISTS (SELECT FROM ${records} r WHERE r.id = l.id) THEN 'locked'
    ELSE 'absent'
  END AS result,
  ${recordColumn('k', 'n.id IS NULL AND k.id IS NOT NULL')}
FROM lease l
  LEFT JOIN renewed n ON n.id = l.id AND n.token = l.token
  LEFT JOIN locked k ON k.id = l.id
ORDER BY l.position`
}

/** Renews a lease whose record the store forgot, or fell back to an older one of. In $1: a held lease. */
export function reassertSql(records: string): string {
  const isExtended = 'r.token = a.token AND r.expires_at > t.now'
  const unlessExtended = (column: string, value = `a.${column}`) =>
    `CASE WHEN ${isExtended} THEN r.${column} ELSE ${value} END`
  const retainUnknown = unlessExtended('retain_unknown_ms')
  const until = `greatest(CASE WHEN ${isExtended} THEN r.lease_until END, t.now + ${span('a.lease_ms')})`
  const takeover = "CASE WHEN a.taken_over THEN 'lapsed' END"
  return `
WITH ${ask(held)},
${found(records)},
written AS (
  INSERT INTO ${records} AS r (id, format, state, owner, token, attempt, recovery, retain_ms, retain_unknown_ms,
    fingerprint, since, lease_until, expires_at, takeover, label_key, label_scope)
  SELECT a.id, 1, 'running', a.owner, a.token, a.attempt, a.recovery, a.retain_ms, a.retain_unknown_ms,
    a.fingerprint, a.now, a.now + ${span('a.lease_ms')}, a.now + ${span('(a.lease_ms + a.retain_unknown_ms)')},
    ${takeover}, a.label_key, a.label_scope
  FROM ask a
  ON CONFLICT (id) DO UPDATE SET ${assignments(
    {
      format: '1',
      state: "'running'",
      owner: unlessExtended('owner'),
      token: 'a.token',
      attempt: unlessExtended('attempt'),
      recovery: unlessExtended('recovery'),
      retain_ms: unlessExtended('retain_ms'),
      retain_unknown_ms: retainUnknown,
      fingerprint: unlessExtended('fingerprint'),
      since: unlessExtended('since', 't.now'),
      lease_until: until,
      expires_at: `${until} + ${span(retainUnknown)}`,
      takeover: unlessExtended('takeover', takeover),
      failed: 'false',
      label_key: unlessExtended('label_key'),
      label_scope: unlessExtended('label_scope'),
      // A renewal keeps the answer of a failure that was taken over; what is asserted anew has none.
      ...Object.fromEntries(
        Object.entries({ ...noResponse, ...noSteps }).map(([column, none]) => [
          column,
          unlessExtended(column, none),
        ]),
      ),
    },
    ', ask a',
  )}
  WHERE (
    SELECT r.expires_at <= t.now
      OR r.format = 1 AND (r.token < a.token OR r.token = a.token AND r.state = 'running')
    FROM ask a, ${freshNow})
  RETURNING r.id, r.watched
)${writeResult('written')}`
}
