import { IdempotencyError } from '../../core/errors.ts'
import { integer, isFields } from '../encoding/fields.ts'
import type { SqliteDatabase } from './handle.ts'
import { migrations } from './migrations.ts'
import { inWriteTransaction } from './transaction.ts'

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/**
 * Brings the schema up to date. Many processes may do so at once: the first to get the lock migrates, and the
 * others find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws {IdempotencyError} `schema-too-new`
 */
export function migrate(sql: SqliteDatabase): void {
  if (currentVersion(sql) >= schemaVersion) return
  inWriteTransaction(sql, () => {
    const current = currentVersion(sql)
    for (const { version, sql: statements } of migrations) {
      if (version > current) sql.exec(statements)
    }
  })
}

/** @throws {IdempotencyError} `schema-too-new` where a newer release has shut this one out. */
export function requireReader(minReader: number): void {
  if (minReader <= schemaVersion) return
  throw new IdempotencyError(
    'schema-too-new',
    `The SQLite database was changed by a newer release of hapax: it needs schema version ${minReader}, and ` +
      `this release has ${schemaVersion}. Upgrade hapax here, or use another file.`,
  )
}

function currentVersion(sql: SqliteDatabase): number {
  const table = sql.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'hapax_meta'").get()
  if (table === undefined) return 0
  const meta = sql
    .prepare(`
    SELECT CAST(schema_version AS REAL) AS schema_version, CAST(min_reader AS REAL) AS min_reader
    FROM hapax_meta`)
    .get()
  if (!isFields(meta)) throw new Error('its table hapax_meta is empty')
  requireReader(integer(meta, 'min_reader'))
  return integer(meta, 'schema_version')
}
