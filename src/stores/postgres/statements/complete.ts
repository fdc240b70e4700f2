import {
  ask,
  askAll,
  assignments,
  found,
  freshNow,
  held,
  notification,
  response,
  responseColumns,
  span,
  writeResult,
} from './parts.ts'

const outcome = `state text, failed boolean, ${response}`

/**
 * Records how a run ended, in the record that its claim left. Where it is another, or gone, nothing is written, and
 * {@link recompleteSql} says what stands in the way, or writes.
 *
 * In $1: `token`, `state` ('completed' or 'unknown'), `failed`, and the response; in $2 its body.
 */
export function completeSql(records: string): string {
  return `
WITH ${ask(`token bigint, ${outcome}`)},
written AS (
  ${completing(records, 'r.id = a.id', responseAsked)}
  RETURNING r.id, r.watched
)
SELECT CASE WHEN w.id IS NOT NULL THEN 'written' END AS result, ${notification('w')} AS told
FROM ask a LEFT JOIN written w ON true`
}

/**
 * {@link completeSql} for many: gives a row for each, in their order. Rows that another transaction holds are passed over,
 * as if nothing was to be written: a single one must not hold up all the others. Of several for one record, one is written.
 *
 * In $1: `members`, a list of what that one is asked, each with `body_at` and `body_bytes`; in $2 all bodies.
 */
export function completeAllSql(records: string): string {
  const responses = {
    ...responseAsked,
    body: 'CASE WHEN a.headers IS NOT NULL THEN substring($2::bytea FROM a.body_at FOR a.body_bytes) END',
  }
  return `
WITH ${askAll(`token bigint, ${outcome}, body_at integer, body_bytes integer`)},
locked AS MATERIALIZED (
  SELECT a.*, k.id AS locked_id
  FROM ask a, LATERAL (
    SELECT r.id FROM ${records} r WHERE r.id = a.id AND r.token = a.token
    FOR NO KEY UPDATE OF r SKIP LOCKED
  ) k
),
written AS (
  ${completing(records, 'r.id = a.locked_id', responses, 'locked a')}
  RETURNING r.id, r.watched, a.position
)
SELECT CASE WHEN w.id IS NOT NULL THEN 'written' END AS result, ${notification('w')} AS told
FROM ask a LEFT JOIN written w ON w.position = a.position
ORDER BY a.position`
}

function completing(
  records: string,
  isAsked: string,
  responses: Record<string, string>,
  from = 'ask a',
): string {
  const retained = "CASE WHEN a.state = 'completed' THEN r.retain_ms ELSE r.retain_unknown_ms END"
  const columns = {
    state: 'a.state',
    since: 't.now',
    lease_until: 'NULL::timestamptz',
    expires_at: `t.now + ${span(retained)}`,
    takeover: 'NULL',
    failed: 'coalesce(a.failed, false)',
    step_names: keptSteps('step_names'),
    step_texts: keptSteps('step_texts'),
    ...responses,
  }
  return `UPDATE ${records} r SET ${assignments(columns)}
  FROM ${from}
  WHERE ${isAsked} AND r.format = 1 AND r.token = a.token AND r.state IN ('running', 'unknown')
    AND (SELECT r.expires_at > t.now FROM ${freshNow})`
}

/**
 * Records how a run ended: once, and for the latest token only. A record that the store forgot is created.
 *
 * In $1: a held lease, and what {@link completeSql} is asked; in $2 the body.
 */
export function recompleteSql(records: string): string {
  const isOfThisRun = ' AND r.token = a.token AND r.expires_at > t.now'
  return `
WITH ${ask(`${held}, ${outcome}`)},
${found(records)},
written AS (
  INSERT INTO ${records} AS r (id, token, attempt, ${Object.keys(columnsAt('a.now')).join(', ')})
  SELECT a.id, a.token, a.attempt, ${Object.values(columnsAt('a.now')).join(', ')}
  FROM ask a
  ON CONFLICT (id) DO UPDATE SET ${assignments(
    {
      token: 'a.token',
      attempt: 'a.attempt',
      lease_until: 'NULL::timestamptz',
      takeover: 'NULL',
      step_names: keptSteps('step_names', isOfThisRun),
      step_texts: keptSteps('step_texts', isOfThisRun),
      ...columnsAt('t.now'),
    },
    ', ask a',
  )}
  WHERE (
    SELECT r.expires_at <= t.now
      OR r.format = 1 AND (r.token < a.token OR r.token = a.token AND r.state IN ('running', 'unknown'))
    FROM ask a, ${freshNow})
  RETURNING r.id, r.watched
)${writeResult('written')}`
}

/** What may run again must not repeat its steps. */
function keptSteps(column: string, condition = ''): string {
  return `CASE WHEN (a.state = 'unknown' OR a.failed)${condition} THEN r.${column} END`
}

function columnsAt(now: string): Record<string, string> {
  const retained = "CASE WHEN a.state = 'completed' THEN a.retain_ms ELSE a.retain_unknown_ms END"
  return {
    format: '1',
    state: 'a.state',
    owner: 'a.owner',
    recovery: 'a.recovery',
    retain_ms: 'a.retain_ms',
    retain_unknown_ms: 'a.retain_unknown_ms',
    fingerprint: 'a.fingerprint',
    since: now,
    expires_at: `${now} + ${span(retained)}`,
    failed: 'coalesce(a.failed, false)',
    label_key: 'a.label_key',
    label_scope: 'a.label_scope',
    ...responseAsked,
  }
}

const responseAsked: Record<string, string> = {
  ...Object.fromEntries(responseColumns.map((name) => [name, `a.${name}`])),
  body: 'CASE WHEN a.headers IS NOT NULL THEN $2::bytea END',
}
