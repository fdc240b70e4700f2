import { ask, assignments, found, freshNow, noResponse, span, writeResult } from './parts.ts'

/** Gives a claim back. In $1: `token`, and `clean` if nothing happened in this attempt. */
export function releaseSql(records: string): string {
  return `
WITH ${ask('token bigint, clean boolean')},
${found(records)},
written AS (${releasing(records, 'r.token = a.token')})${writeResult('written')}`
}

/** Undoes a claim whose reply never arrived. In $1: `owner`, and `clean`, which is true. */
export function abandonSql(records: string): string {
  return `
WITH ${ask('owner text, clean boolean')},
${found(records)},
written AS (${releasing(records, 'r.owner = a.owner')})${writeResult('written')}`
}

/** Claimable at once. Keeps owner and token, so that a late renewal can't bring it back. */
function releasing(records: string, isHolder: string): string {
  // Nothing happened in any attempt, so the key may even carry another request.
  const isClean = 'a.clean AND r.takeover IS NULL AND r.step_names IS NULL'
  const columns = {
    state: "'released'",
    fingerprint: `CASE WHEN ${isClean} THEN NULL ELSE r.fingerprint END`,
    since: 't.now',
    lease_until: 'NULL::timestamptz',
    expires_at: `t.now + ${span(`CASE WHEN ${isClean} THEN r.retain_ms ELSE r.retain_unknown_ms END`)}`,
    takeover: 'NULL',
    ...noResponse,
  }
  return `
  UPDATE ${records} r SET ${assignments(columns)}
  FROM ask a
  WHERE r.id = a.id AND r.format = 1 AND r.state = 'running' AND ${isHolder}
    AND (SELECT r.expires_at > t.now FROM ${freshNow})
  RETURNING r.id, r.watched
`
}
