import { largestToken } from '../encoding.ts'
import {
  ask,
  askAll,
  assignments,
  found,
  freshNow,
  lease,
  microseconds,
  milliseconds,
  nextToken,
  notification,
  nowColumn,
  recordColumn,
  responseColumns,
  span,
} from './parts.ts'

const asked = `${lease}, deadline_ms float8`

/**
 * Grants the claim where there is no record, or gives the record that stood in its way. Where it does neither, another
 * claim came between.
 *
 * What it can't do, to take over a record, is most of the work of {@link reclaimSql}, even where there is none: the
 * server builds all of a statement before it runs any of it.
 *
 * In $1: a lease, and `deadline_ms`, after which it must not be carried out.
 */
export function claimSql(records: string): string {
  return `
WITH ${ask(asked)},
${found(records)},
granted AS (
  ${insertion(records)}
  WHERE NOT EXISTS (SELECT FROM found) AND ${milliseconds('a.now')} <= a.deadline_ms
  ON CONFLICT (id) DO NOTHING
  RETURNING r.id, r.token
)
SELECT ${nowColumn},
  ${grantColumn},
  ${recordColumn('f', 'f.id IS NOT NULL')},
  f.body
FROM ask a LEFT JOIN granted g ON true LEFT JOIN found f ON true`
}

/** An answer that is longer is left out of a batch, and its claim is sent alone. */
const longestBodyBytes = 64 * 1024

/**
 * {@link claimSql} for many: gives a row for each, in their order. Of several for one new key, one is granted, and the
 * others are neither granted nor refused.
 *
 * In $1: `members`, a list of what that one is asked.
 */
export function claimAllSql(records: string): string {
  const isLong = `octet_length(f.body) > ${longestBodyBytes}`
  return `
WITH ${askAll(asked)},
found AS MATERIALIZED (
  SELECT a.position, f.* FROM ask a, LATERAL (SELECT f.* FROM ${records} f WHERE f.id = a.id OFFSET 0) f
),
granted AS (
  ${insertion(records)}
  WHERE NOT EXISTS (SELECT FROM found f WHERE f.position = a.position)
    AND ${milliseconds('a.now')} <= a.deadline_ms
  -- Always in one order, or two batches could wait for each other.
  ORDER BY a.id
  ON CONFLICT (id) DO NOTHING
  RETURNING r.id, r.owner, r.token
)
SELECT ${nowColumn},
  ${grantColumn},
  ${recordColumn('f', 'f.id IS NOT NULL')},
  CASE WHEN NOT ${isLong} THEN f.body END AS body,
  CASE WHEN ${isLong} THEN 'long' END AS left_out
FROM ask a
  LEFT JOIN granted g ON g.id = a.id AND g.owner = a.owner
  LEFT JOIN found f ON f.position = a.position
ORDER BY a.position`
}

/**
 * Grants the claim also where a record may be taken over, or gives the record that stood in its way. Where it does
 * neither, another claim came between: the statement is sent again.
 *
 * In $1: as for {@link claimSql}, and `digests` to compare the record's with.
 */
export function reclaimSql(records: string): string {
  return `
WITH ${ask(`${asked}, digests text[]`)},
${found(records)},
granted AS (
  ${insertion(records)}
  -- A shortcut, and no rule: without it a replay would lock the row, and so wait for the disk.
  WHERE NOT EXISTS (
    SELECT FROM found f
    WHERE f.expires_at > a.now
      AND (f.state = 'completed' AND NOT f.failed
        OR f.state = 'running' AND f.lease_until > a.now AND f.owner <> a.owner)
  ) AND ${milliseconds('a.now')} <= a.deadline_ms
  ON CONFLICT (id) DO UPDATE SET ${assignments(grantColumns, `, ask a, LATERAL (${kindSql}) k`)}
  WHERE (SELECT ${isClaimable} FROM ask a, ${freshNow})
  RETURNING r.*
)
SELECT ${nowColumn},
  CASE WHEN g.id IS NOT NULL THEN json_build_object('token', g.token, 'attempt', g.attempt, 'takeover', g.takeover,
    'status', g.status, 'headers', g.headers, 'trailers', g.trailers, 'tombstone', g.tombstone,
    'location', g.location, 'step_texts', g.step_texts)::text END AS granted,
  ${recordColumn('f', 'g.id IS NULL AND f.id IS NOT NULL')},
  CASE WHEN g.id IS NOT NULL THEN g.body ELSE f.body END AS body,
  ${notification('g')} AS told
FROM ask a LEFT JOIN granted g ON true LEFT JOIN found f ON true`
}

const grantColumn = `CASE WHEN g.id IS NOT NULL
    THEN json_build_object('token', g.token, 'attempt', 1, 'takeover', NULL, 'step_texts', NULL)::text END AS granted`

function insertion(records: string): string {
  return `INSERT INTO ${records} AS r (id, format, state, owner, token, attempt, recovery, retain_ms, retain_unknown_ms,
    fingerprint, since, lease_until, expires_at, label_key, label_scope)
  SELECT a.id, 1, 'running', a.owner, ${microseconds('a.now')}, 1, a.recovery, a.retain_ms, a.retain_unknown_ms,
    a.fingerprint, a.now, a.now + ${span('a.lease_ms')}, a.now + ${span('(a.lease_ms + a.retain_unknown_ms)')},
    a.label_key, a.label_scope
  FROM ask a`
}

/** Both the record's policy and the route's must allow it, and a failure that was kept is an answer. */
const mayTakeOver = `(
        (a.recovery = 'reconcile' AND r.recovery IN ('reconcile', 'rerun')
          OR a.recovery = 'rerun' AND r.recovery = 'rerun')
        AND CASE r.state
          WHEN 'running' THEN r.lease_until <= t.now
          WHEN 'completed' THEN r.failed AND a.recovery = 'reconcile'
          ELSE true
        END)`

const isClaimable = `${milliseconds('t.now')} <= a.deadline_ms AND (
      r.expires_at <= t.now
      OR r.format = 1 AND r.token <= ${largestToken} AND (
        r.fingerprint IS NULL
        OR r.fingerprint && a.digests AND (r.state = 'running' AND r.owner = a.owner OR ${mayTakeOver})))`

/** What is granted, of a record that may be claimed. */
const kindSql = `
        SELECT CASE
          WHEN r.expires_at <= t.now THEN 'new'
          WHEN r.fingerprint IS NULL OR NOT r.fingerprint && a.digests THEN 'clean'
          WHEN r.state = 'running' AND r.owner = a.owner THEN 'again'
          WHEN r.state = 'running' THEN 'lapsed'
          WHEN r.state = 'completed' THEN 'failed'
          ELSE r.state
        END AS kind
        -- Computed once: without this it would stand in each of the twenty columns, and planning take long.
        OFFSET 0`

const leaseUntil = `greatest(CASE WHEN k.kind = 'again' THEN r.lease_until END, t.now + ${span('a.lease_ms')})`
const retainUnknown = unlessAgain('retain_unknown_ms')

/** The same claim arrived twice (its reply was lost): only its lease is longer, and nobody else wins. */
const grantColumns: Readonly<Record<string, string>> = {
  format: '1',
  state: "'running'",
  owner: 'a.owner',
  token: `CASE WHEN k.kind = 'again' THEN r.token ELSE ${nextToken} END`,
  attempt: `CASE k.kind WHEN 'again' THEN r.attempt WHEN 'new' THEN 1 ELSE least(r.attempt, 2147483646) + 1 END`,
  recovery: unlessAgain('recovery'),
  retain_ms: unlessAgain('retain_ms'),
  retain_unknown_ms: retainUnknown,
  fingerprint: unlessAgain('fingerprint'),
  since: `CASE WHEN k.kind = 'again' THEN r.since ELSE t.now END`,
  lease_until: leaseUntil,
  expires_at: `${leaseUntil} + ${span(retainUnknown)}`,
  takeover: `CASE
          WHEN k.kind IN ('new', 'clean') THEN NULL
          WHEN k.kind <> 'again' THEN k.kind
          WHEN r.takeover IS NOT NULL THEN 'lapsed'
        END`,
  failed: 'false',
  step_names: unlessNew('step_names'),
  step_texts: unlessNew('step_texts'),
  label_key: unlessAgain('label_key'),
  label_scope: unlessAgain('label_scope'),
  // Whoever takes over a failure is given its answer.
  ...Object.fromEntries(
    responseColumns.map((name) => [name, `CASE WHEN k.kind = 'failed' THEN r.${name} END`]),
  ),
}

/** Steps outlive a takeover. */
function unlessNew(column: string): string {
  return `CASE WHEN k.kind NOT IN ('new', 'clean') THEN r.${column} END`
}

function unlessAgain(column: string): string {
  return `CASE WHEN k.kind = 'again' THEN r.${column} ELSE a.${column} END`
}
