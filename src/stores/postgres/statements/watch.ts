import { ask, found, nowColumn } from './parts.ts'

/** A text that differs after any change that somebody may wait for; not after a renewal. */
const stamp = (row: string) => `concat_ws(' ', ${row}.format, ${row}.state, ${row}.token, ${row}.since)`

/**
 * Marks a record, or a key that is new, as watched: only then do the other statements notify of its changes. What is
 * left of a new key is a record that has expired already.
 */
export function markSql(records: string): string {
  return `
WITH ${ask('')},
${found(records)},
marked AS (
  INSERT INTO ${records} AS r (id, format, state, owner, token, attempt, recovery, retain_ms, retain_unknown_ms,
    since, expires_at, watched)
  SELECT a.id, 1, 'released', '', 0, 0, 'refuse', 0, 0, a.now, a.now, true
  FROM ask a WHERE NOT EXISTS (SELECT FROM found f WHERE f.watched)
  ON CONFLICT (id) DO UPDATE SET watched = true WHERE NOT r.watched
  RETURNING r.id
)
SELECT ${nowColumn} FROM ask a LEFT JOIN marked m ON true`
}

/** In $1: `ids`. Gives a row for each that is there. */
export function stampsSql(records: string): string {
  return `
WITH ${ask('ids json')}
SELECT r.id, ${stamp('r')} AS stamp
FROM ask a, json_array_elements_text(a.ids) AS wanted(id) JOIN ${records} r ON r.id = wanted.id`
}

/** Through the pool, to find out whether it is heard. In $1: `channel`, and the payload as `id`. */
export const notifySql = `
WITH ${ask('')}
SELECT pg_notify(a.channel, a.id) AS told FROM ask a`
