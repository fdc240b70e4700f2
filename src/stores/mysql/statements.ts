// A question mark stands for a value, which is bytes or a number: see literals.ts.
// Times are those of the server at the start of the statement, in UTC. After a wait for a lock they are early, never late.

const now = `TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) DIV 1000`

/** A write is judged by a time told from here: so much it may be ahead of the server's clock, and so much behind it. */
const toleranceMs = { ahead: 20, behind: 1_000 }

/** Values: the time by which the write was judged, twice. */
const isTimely = `${now} BETWEEN ? - ${toleranceMs.ahead} AND ? + ${toleranceMs.behind}`

const written = [
  'revision',
  'format',
  'state',
  'token',
  'lease_until_ms',
  'expires_at_ms',
  'detail',
  'body',
] as const

/** What a row is made of, in this order, and the server's time. */
const found = [
  'revision',
  'format',
  'state',
  'CAST(r.token AS CHAR)',
  'lease_until_ms',
  'expires_at_ms',
  'detail',
  'body',
]
  .map((column) => (column.includes('(') ? column : `r.${column}`))
  .concat(`${now} AS now_ms`)
  .join(', ')

/** Values: the hash. Gives one row in any case: without a record, all but the time are null. */
export const readSql = `SELECT ${found} FROM (SELECT 1 AS one) o LEFT JOIN hapax_record r ON r.id_hash = ?`

/** Values: the hash, what is written, the time twice. Fails with a duplicate where a record stands. */
export const insertSql = `
  INSERT INTO hapax_record (id_hash, ${written.join(', ')})
  SELECT ?, ${written.map(() => '?').join(', ')} FROM DUAL WHERE ${isTimely}`

/** MariaDB tells in the same trip what stands there, be it old or new; and whether a transaction is open. */
export const insertReturningSql = `${insertSql}
  ON DUPLICATE KEY UPDATE id_hash = hapax_record.id_hash
  RETURNING ${found.replaceAll('r.', '')}, @@autocommit = 0 OR @@in_transaction = 1`

/** Values: what is written, the hash, what it replaces, the time twice. */
export const replaceSql = `
  UPDATE hapax_record SET ${written.map((column) => `${column} = ?`).join(', ')}
  WHERE id_hash = ? AND revision = ? AND format = ? AND state = ? AND token = ? AND ${isTimely}`

// Joined, so that each row is found by its key: a condition on a list of ids reads a small table from end to end, and
// waits for the locks of all other keys.

/** Values: for each the hash, what it replaces, the new revision, and both times; then the time twice. */
export function extendSql(count: number): string {
  const row =
    'SELECT CAST(? AS BINARY) AS id_hash, CAST(? AS BINARY) AS old, ? AS format, CAST(? AS BINARY) AS state, ' +
    '? AS token, CAST(? AS BINARY) AS revision, ? AS lease, ? AS expires'
  return `
  UPDATE (${rows(count, row)}) l STRAIGHT_JOIN hapax_record r FORCE INDEX (PRIMARY)
    ON r.id_hash = l.id_hash AND r.revision = l.old AND r.format = l.format AND r.state = l.state AND r.token = l.token
  SET r.revision = l.revision, r.lease_until_ms = l.lease, r.expires_at_ms = l.expires
  WHERE ${isTimely}`
}

/** Values: hashes. */
export function revisionsSql(count: number): string {
  return `SELECT r.id_hash, r.revision FROM hapax_record r WHERE r.id_hash IN (${list(count)})`
}

/** Values: hashes. A text that differs after any change that somebody may wait for; not after a renewal. */
export function stampsSql(count: number): string {
  return `SELECT r.id_hash, CONCAT(r.format, ' ', r.state, ' ', r.token, ' ', IF(r.state = 'running', 0, r.expires_at_ms))
    FROM hapax_record r WHERE r.id_hash IN (${list(count)})`
}

/** Values: the hash before. The id stands at the beginning of the detail. */
export const headsSql = (count: number) => `
  SELECT r.id_hash, r.state, r.detail FROM hapax_record r WHERE r.id_hash > ? ORDER BY r.id_hash LIMIT ${count}`

/** Those that expired a minute ago: their tokens go with them, and a clock set back by less gives out none again. */
export const expiredSql = (count: number) => `
  SELECT r.id_hash, r.revision FROM hapax_record r
  WHERE r.expires_at_ms < ${now} - 60000 AND r.token < (${now} - 60000) * 1000
  ORDER BY r.expires_at_ms LIMIT ${count}`

/** Values: for each its hash and revision. */
export function deleteSql(count: number): string {
  const row = 'SELECT CAST(? AS BINARY) AS id_hash, CAST(? AS BINARY) AS revision'
  return `
  DELETE r FROM (${rows(count, row)}) l STRAIGHT_JOIN hapax_record r FORCE INDEX (PRIMARY)
    ON r.id_hash = l.id_hash AND r.revision = l.revision`
}

export const settingsSql = `
  SELECT VERSION(), @@autocommit, @@max_allowed_packet, ${now}`

function rows(count: number, row: string): string {
  return Array.from({ length: count }, () => row).join(' UNION ALL ')
}

function list(count: number): string {
  return Array.from({ length: count }, () => '?').join(', ')
}
