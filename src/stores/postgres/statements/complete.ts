import {
  ask,
  assignments,
  found,
  freshNow,
  held,
  response,
  responseColumns,
  span,
  writeResult,
} from './parts.ts'

/**
 * Records how a run ended: once, and for the latest token only. A record that the store forgot is created.
 *
 * In $1: a held lease, `state` ('completed' or 'unknown'), `failed`, and the response; in $2 its body.
 */
export function completeSql(records: string): string {
  return `
WITH ${ask(`${held}, state text, failed boolean, ${response}`)},
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
      step_names: keptSteps('step_names'),
      step_texts: keptSteps('step_texts'),
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
function keptSteps(column: string): string {
  const isKept = "(a.state = 'unknown' OR a.failed) AND r.token = a.token AND r.expires_at > t.now"
  return `CASE WHEN ${isKept} THEN r.${column} END`
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
    ...Object.fromEntries(responseColumns.map((name) => [name, `a.${name}`])),
    body: 'CASE WHEN a.headers IS NOT NULL THEN $2::bytea END',
  }
}
