import { ask, microseconds } from './parts.ts'

/**
 * Deletes a few records that expired a minute ago or earlier: their tokens go with them, and a clock that is set back by
 * less gives out none of them again. Rows that a claim holds are left to it. In $1: `count`.
 */
export function reapSql(records: string): string {
  // Of the statement, not of each row: only such a time can be looked for in the index.
  const before = "statement_timestamp() - interval '1 minute'"
  return `
WITH ${ask('count integer')},
expired AS MATERIALIZED (
  SELECT r.id FROM ${records} r
  WHERE r.expires_at < ${before} AND r.token < ${microseconds(before)}
  ORDER BY r.expires_at LIMIT (SELECT a.count FROM ask a)
  FOR UPDATE OF r SKIP LOCKED
),
reaped AS (
  DELETE FROM ${records} r USING expired e WHERE r.id = e.id
  RETURNING r.id
)
SELECT count(*)::text AS reaped FROM reaped`
}
