import { largestToken, longestMs } from '../encoding.ts'

// What several statements are made of. In all of them `a` is what was asked, `r` the row to be written, `f` the row as
// it was when the statement began, and `t.now` a time after any wait for a lock: now() would be as old as the wait.

/** What all statements are asked: `lock_timeout` bounds the wait for a row, without a state of the session. */
const commonMembers = 'id text, lock_timeout text, channel text'

/** @param members Columns with their types, read from the members of the JSON in $1. */
export function ask(members: string): string {
  return `
  ask AS MATERIALIZED (
    SELECT a.*, clock_timestamp() AS now, set_config('lock_timeout', a.lock_timeout, true)
    FROM json_to_record($1::text::json) AS a(${commonMembers}${members === '' ? '' : `, ${members}`})
  )`
}

/**
 * Many at once, in `members`. Each says `format: 1`, and is asked for it: without a condition the server takes them for a
 * hundred, and reads all of a small table for them, also when it is no longer small.
 */
export function askAll(members: string): string {
  return `
  common AS MATERIALIZED (
    SELECT c.members, c.channel, set_config('lock_timeout', c.lock_timeout, true)
    FROM json_to_record($1::text::json) AS c(lock_timeout text, channel text, members json)
  ),
  ask AS MATERIALIZED (
    SELECT a.*, c.channel, clock_timestamp() AS now, row_number() OVER () AS position
    FROM common c, json_to_recordset(c.members) AS a(format integer, id text, ${members})
    WHERE a.format = 1
  )`
}

/** As it was when the statement began. */
export function found(records: string): string {
  return `
  found AS MATERIALIZED (
    SELECT f.* FROM ${records} f JOIN ask a ON f.id = a.id
  )`
}

/** A function whose result changes is called once for a subquery, and not once for each use. */
export const freshNow = '(SELECT clock_timestamp() AS now) t'

export const lease = [
  'owner text, recovery text, retain_ms float8, retain_unknown_ms float8, fingerprint text[]',
  'lease_ms float8, label_key text, label_scope text',
].join(', ')

export const held = `${lease}, token bigint, attempt integer, taken_over boolean`

export const response = 'status integer, headers text[], trailers text[], tombstone text, location text'

export const responseColumns = ['status', 'headers', 'trailers', 'tombstone', 'location', 'body'] as const

/** In a subquery a bare NULL would be a text. */
export const noResponse = {
  status: 'NULL::integer',
  headers: 'NULL::text[]',
  trailers: 'NULL::text[]',
  tombstone: 'NULL',
  location: 'NULL',
  body: 'NULL::bytea',
} as const satisfies Record<(typeof responseColumns)[number], string>

export const noSteps = { step_names: 'NULL::text[]', step_texts: 'NULL::text[]' } as const

/** What a damaged record holds may be no number, or too large for an interval: it must not break a whole batch. */
export function span(ms: string): string {
  return `least(greatest(${ms}, 0), ${longestMs}) * interval '1 millisecond'`
}

/** Tokens are microseconds of the server's clock, and never go back even where that does. */
export function microseconds(time: string): string {
  return `(extract(epoch FROM ${time}) * 1000000)::bigint`
}

export const nextToken = `greatest(CASE WHEN r.token <= ${largestToken} THEN r.token + 1 END, ${microseconds('t.now')})`

export function milliseconds(time: string): string {
  return `(extract(epoch FROM ${time}) * 1000)`
}

export const nowColumn = `${milliseconds('clock_timestamp()')}::text AS now`

/** The whole record but its body, as JSON in a text. */
export function recordColumn(row: string, condition: string): string {
  const columns =
    'id format state owner token attempt recovery retain_ms retain_unknown_ms fingerprint takeover failed ' +
    'label_key label_scope step_texts status headers trailers tombstone location'
  const members = columns.split(' ').map((name) => `'${name}', ${row}.${name}`)
  const times = ['since', 'lease_until', 'expires_at'].map(
    (name) => `'${name}_ms', ${milliseconds(`${row}.${name}`)}`,
  )
  return `CASE WHEN ${condition} THEN json_build_object(${[...members, ...times].join(', ')})::text END AS found`
}

/** A notification holds up the commits of all others that notify: only where somebody waits is it sent. */
export function notification(row: string): string {
  return `CASE WHEN ${row}.watched THEN pg_notify(a.channel, left(${row}.id, 200)) END`
}

/** The result of a write: whether it was written, and else what stood in its way. */
export function writeResult(written: string): string {
  return `
SELECT ${nowColumn},
  CASE WHEN w.id IS NOT NULL THEN 'written' END AS result,
  ${recordColumn('f', 'w.id IS NULL AND f.id IS NOT NULL')},
  ${notification('w')} AS told
FROM ask a LEFT JOIN ${written} w ON true LEFT JOIN found f ON true`
}

/** Sets each column to its expression, all of them at one time `t.now`. */
export function assignments(columns: Readonly<Record<string, string>>, from = ''): string {
  const names = Object.keys(columns)
  return `(${names.join(', ')}) = (
      SELECT ${Object.values(columns).join(',\n        ')}
      FROM ${freshNow}${from})`
}
