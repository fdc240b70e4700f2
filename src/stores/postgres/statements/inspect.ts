import {
  ask,
  assignments,
  found,
  freshNow,
  nextToken,
  noResponse,
  noSteps,
  notification,
  nowColumn,
  recordColumn,
  response,
  responseColumns,
  span,
  writeResult,
} from './parts.ts'

/** Whole records. In $1: `ids`. */
export function readSql(records: string): string {
  return `
WITH ${ask('ids json')}
SELECT ${nowColumn}, ${recordColumn('f', 'true')}, f.body
FROM ask a, json_array_elements_text(a.ids) AS wanted(id) JOIN ${records} f ON f.id = wanted.id
ORDER BY f.id`
}

/** Records without their bodies, in the order of their ids. In $1: `id` to begin after, `count`. */
export function headsSql(records: string): string {
  return `
WITH ${ask('count integer')}
SELECT ${nowColumn}, ${recordColumn('f', 'true')}, coalesce(octet_length(f.body), 0)::text AS body_bytes
FROM ${records} f
WHERE f.id > (SELECT a.id FROM ask a)
ORDER BY f.id LIMIT (SELECT a.count FROM ask a)`
}

/**
 * Gives a record without a live lease a definite end, under a new token that shuts out late owners.
 *
 * In $1: `resolution` ('release' or 'response') and the response; in $2 its body.
 */
export function settleSql(records: string): string {
  const isAnswer = "a.resolution = 'response'"
  const columns = {
    state: `CASE WHEN ${isAnswer} THEN 'completed' ELSE 'released' END`,
    token: nextToken,
    fingerprint: `CASE WHEN ${isAnswer} THEN r.fingerprint END`,
    since: 't.now',
    lease_until: 'NULL::timestamptz',
    expires_at: `t.now + ${span('r.retain_ms')}`,
    takeover: 'NULL',
    failed: 'false',
    ...noSteps,
    ...Object.fromEntries(responseColumns.map((name) => [name, `a.${name}`])),
    body: 'CASE WHEN a.headers IS NOT NULL THEN $2::bytea END',
  }
  return `
WITH ${ask(`resolution text, ${response}`)},
${found(records)},
written AS (
  UPDATE ${records} r SET ${assignments(columns)}
  FROM ask a
  WHERE r.id = a.id AND r.format = 1
    AND CASE r.state
      WHEN 'running' THEN (SELECT r.lease_until <= t.now FROM ${freshNow})
      WHEN 'completed' THEN r.failed
      ELSE true
    END
    -- A clean release stands for no request, so there is nothing to answer.
    AND (NOT ${isAnswer} OR r.fingerprint IS NOT NULL)
    AND (SELECT r.expires_at > t.now FROM ${freshNow})
  RETURNING r.id, r.watched
)${writeResult('written')}`
}

/**
 * Empties the record, readable or not, and lets it expire: the key counts as new. Only its token stays for a while,
 * so that the next is higher even if the clock goes back; the reaper takes it later.
 */
export function forgetSql(records: string): string {
  const columns = {
    format: '1',
    state: "'released'",
    owner: "''",
    recovery: "'refuse'",
    fingerprint: 'NULL::text[]',
    since: 't.now',
    lease_until: 'NULL::timestamptz',
    expires_at: 't.now',
    takeover: 'NULL',
    failed: 'false',
    label_key: 'NULL',
    label_scope: 'NULL',
    ...noSteps,
    ...noResponse,
  }
  return `
WITH ${ask('')},
written AS (
  UPDATE ${records} r SET ${assignments(columns)}
  FROM ask a
  WHERE r.id = a.id AND (SELECT r.expires_at > t.now FROM ${freshNow})
  RETURNING r.id, r.watched
)
SELECT ${notification('w')} AS told FROM ask a JOIN written w ON true`
}
