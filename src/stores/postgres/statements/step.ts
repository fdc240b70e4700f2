import { ask, assignments, found, freshNow, held, noResponse, span, writeResult } from './parts.ts'

/**
 * Writes what became of one step: in the place of the step of that name, or behind the others. A record that the store
 * forgot is asserted again.
 *
 * In $1: a held lease, `step_name`, and `step_text`, which is absent for a step that is as good as never begun.
 */
export function stepSql(records: string): string {
  const isHeld = 'r.token = a.token AND r.expires_at > t.now'
  const unlessHeld = (column: string, value = `a.${column}`, changed = `r.${column}`) =>
    `CASE WHEN ${isHeld} THEN ${changed} ELSE ${value} END`
  const leaseUntil = `t.now + ${span('a.lease_ms')}`
  const takeover = "CASE WHEN a.taken_over THEN 'lapsed' END"
  const list = (column: string, entry: string) =>
    unlessHeld(column, first(entry), `(${changedList(column, entry)})`)
  return `
WITH ${ask(`${held}, step_name text, step_text text`)},
${found(records)},
written AS (
  INSERT INTO ${records} AS r (id, format, state, owner, token, attempt, recovery, retain_ms, retain_unknown_ms,
    fingerprint, since, lease_until, expires_at, takeover, label_key, label_scope, step_names, step_texts)
  SELECT a.id, 1, 'running', a.owner, a.token, a.attempt, a.recovery, a.retain_ms, a.retain_unknown_ms,
    a.fingerprint, a.now, a.now + ${span('a.lease_ms')}, a.now + ${span('(a.lease_ms + a.retain_unknown_ms)')},
    ${takeover}, a.label_key, a.label_scope, ${first('a.step_name')}, ${first('a.step_text')}
  FROM ask a
  ON CONFLICT (id) DO UPDATE SET ${assignments(
    {
      format: '1',
      state: "'running'",
      owner: unlessHeld('owner'),
      token: 'a.token',
      attempt: unlessHeld('attempt'),
      recovery: unlessHeld('recovery'),
      retain_ms: unlessHeld('retain_ms'),
      retain_unknown_ms: unlessHeld('retain_unknown_ms'),
      fingerprint: unlessHeld('fingerprint'),
      since: unlessHeld('since', 't.now'),
      lease_until: unlessHeld('lease_until', leaseUntil),
      expires_at: unlessHeld('expires_at', `${leaseUntil} + ${span('a.retain_unknown_ms')}`),
      takeover: unlessHeld('takeover', takeover),
      failed: 'false',
      label_key: unlessHeld('label_key'),
      label_scope: unlessHeld('label_scope'),
      step_names: list('step_names', 'a.step_name'),
      step_texts: list('step_texts', 'a.step_text'),
      // A failure that was taken over keeps its answer until the end.
      ...Object.fromEntries(
        Object.entries(noResponse).map(([column, none]) => [column, unlessHeld(column, none)]),
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

function first(entry: string): string {
  return `CASE WHEN a.step_text IS NOT NULL THEN ARRAY[${entry}] END`
}

/** The list with the step's entry changed, added or taken out; no list where nothing is left. */
function changedList(column: string, entry: string): string {
  const at = 'array_position(r.step_names, a.step_name)'
  const list = `coalesce(r.${column}, '{}'::text[])`
  return `nullif(CASE
          WHEN ${at} IS NULL AND a.step_text IS NULL THEN ${list}
          WHEN ${at} IS NULL THEN ${list} || ${entry}
          WHEN a.step_text IS NULL THEN r.${column}[:${at} - 1] || r.${column}[${at} + 1:]
          ELSE r.${column}[:${at} - 1] || ${entry} || r.${column}[${at} + 1:]
        END, '{}'::text[])`
}
