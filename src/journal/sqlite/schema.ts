import { integer, isFields } from '../../stores/encoding/fields.ts'
import type { SqliteDatabase } from '../../stores/sqlite/handle.ts'
import { inWriteTransaction } from '../../stores/sqlite/transaction.ts'
import { missingTables, requireReader } from '../schema.ts'
import { migrations } from './migrations.ts'

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/**
 * Brings the tables up to date. Many processes may do so at once: the first to get the lock migrates, and the others
 * find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws IdempotencyError `schema-too-new`; `store-failed` where the tables are not there and are not to be made
 */
export function prepareSchema(sql: SqliteDatabase, migrate: boolean): void {
  if (currentVersion(sql) >= schemaVersion) return
  if (!migrate) throw missingTables('sqlite', 'The SQLite file')
  inWriteTransaction(sql, () => {
    const current = currentVersion(sql)
    for (const { version, sql: statements } of migrations) {
      if (version > current) sql.exec(statements)
    }
  })
}

/** SQL that brings a database without the journal to this release's version. */
export function migrationScript(): string {
  const scripts = migrations.map(
    ({ version, sql }) => `-- Version ${version}, to be run once.\n${sql.trimEnd()}`,
  )
  return `-- hapax: the journal, version ${schemaVersion}.\n\n${scripts.join('\n\n')}\n`
}

function currentVersion(sql: SqliteDatabase): number {
  const table = sql
    .prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'hapax_journal_meta'")
    .get()
  if (table === undefined) return 0
  const meta = sql.prepare('SELECT schema_version, min_reader FROM hapax_journal_meta').get()
  if (!isFields(meta)) throw new Error('its table hapax_journal_meta is empty')
  requireReader(integer(meta, 'min_reader'), schemaVersion)
  return integer(meta, 'schema_version')
}
