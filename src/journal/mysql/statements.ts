// Every value is text, whatever a library would make of a number, and is cast here. What a statement writes to is
// locked until its transaction ends; what it only reads must be locked by name, or it reads what is old.

const token = 'CAST(? AS SIGNED)'
const keepUntil = 'UTC_TIMESTAMP(6) + INTERVAL CAST(? AS SIGNED) SECOND'
const headColumns = `CAST(j.token AS CHAR), CAST(j.fingerprint AS CHAR), IF(j.keep_until < UTC_TIMESTAMP(6), 'true', 'false')`

/**
 * Values: id, token, fingerprint, seconds. It fails on a head that is there: a count of rows would not tell, since mysql2
 * counts a row that was found like one that was made.
 */
export const beginSql = `
  INSERT INTO hapax_journal (id, token, fingerprint, keep_until) VALUES (?, ${token}, ?, ${keepUntil})`

/** Values: id, token, fingerprint, seconds, and for each digest of the fingerprint twice: token, digest. */
export function enterSql(digests: number): string {
  const isSame = Array.from(
    { length: digests },
    () => `LOCATE(CONCAT(' ', ?, ' '), CONCAT(' ', fingerprint, ' ')) > 0`,
  )
  const fits = `token <= ${token} AND (${isSame.join(' OR ')})`
  // Assignments are made from left to right, and each sees those before it: the token comes last.
  return `${beginSql}
    ON DUPLICATE KEY UPDATE
      keep_until = IF(${fits}, GREATEST(keep_until, VALUES(keep_until)), keep_until),
      token = IF(${fits}, VALUES(token), token)`
}

export const readSql = `
  SELECT ${headColumns}, s.step FROM hapax_journal j LEFT JOIN hapax_step s ON s.id = j.id
  WHERE j.id = ? ORDER BY s.began_at, s.name`

/**
 * Values: id, name, step, id, token. The share of the head does not block the other steps of its lease, and waits for
 * an opening under way. Without it, a process that stood still would commit after it was replaced.
 */
export const addStepSql = `
  INSERT INTO hapax_step (id, name, token, began_at, step)
  SELECT ?, ?, j.token, UTC_TIMESTAMP(6), ? FROM hapax_journal j
  WHERE j.id = ? AND j.token = ${token} LOCK IN SHARE MODE`

export const putStepSql = `${addStepSql}
  ON DUPLICATE KEY UPDATE token = VALUES(token), step = VALUES(step)`

export const lockHeadSql = `SELECT ${headColumns} FROM hapax_journal j WHERE j.id = ? FOR UPDATE`
export const shareHeadSql = `SELECT ${headColumns} FROM hapax_journal j WHERE j.id = ? LOCK IN SHARE MODE`
export const tokenOfSql = `
  SELECT CAST(token AS CHAR) FROM hapax_step WHERE id = ? AND name = ? LOCK IN SHARE MODE`
export const deleteStepSql = 'DELETE FROM hapax_step WHERE id = ? AND name = ?'
export const renewHeadSql = `
  UPDATE hapax_journal SET token = ${token}, fingerprint = ?, keep_until = ${keepUntil} WHERE id = ?`

/** A limit can't be text, and `limit` is a number of ours. */
export function lockOverSql(limit: number): string {
  return `
    SELECT CAST(id AS CHAR) FROM hapax_journal WHERE keep_until < UTC_TIMESTAMP(6)
    ORDER BY keep_until LIMIT ${limit} FOR UPDATE SKIP LOCKED`
}

// Joined, so that each row is found by its key: a condition on a list of ids reads a small table from end to end, and
// waits for the locks of all other keys.

export function deleteStepsOfSql(ids: number): string {
  return `DELETE s FROM ${listOf(ids)} STRAIGHT_JOIN hapax_step s FORCE INDEX (PRIMARY) ON s.id = listed.id`
}

export function deleteHeadsSql(ids: number): string {
  return `DELETE j FROM ${listOf(ids)} STRAIGHT_JOIN hapax_journal j FORCE INDEX (PRIMARY) ON j.id = listed.id`
}

function listOf(values: number): string {
  const rows = Array.from({ length: values }, () => 'SELECT CAST(? AS BINARY) AS id')
  return `(${rows.join(' UNION ALL ')}) listed`
}
