import { IdempotencyError } from '../../core/errors.ts'
import type { Connection } from '../dialect.ts'
import { missingTables, requireReader } from '../schema.ts'
import { isMissingTable } from './errors.ts'
import { migrations } from './migrations.ts'

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/** One for each database of a server; a lock's name has at most 64 characters. */
const lockName = "CONCAT('hapax_journal.', MD5(DATABASE()))"
const lockSeconds = 30

export async function isMariaDb(connection: Connection): Promise<boolean> {
  const { rows } = await connection.query('SELECT VERSION()')
  return String(rows[0]?.[0]).includes('MariaDB')
}

/**
 * Brings the tables up to date. Many processes may do so at once: the first to get the lock migrates, and the others
 * find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws IdempotencyError `schema-too-new`; `store-failed` where the tables are not there and are not to be made
 */
export async function prepareSchema(
  connection: Connection,
  { migrate }: { readonly migrate: boolean },
): Promise<void> {
  if ((await currentVersion(connection)) >= schemaVersion) return
  if (!migrate) throw missingTables('mysql', 'The database')
  const { rows } = await connection.query(`SELECT GET_LOCK(${lockName}, ${lockSeconds})`)
  if (Number(rows[0]?.[0]) !== 1)
    throw new IdempotencyError('store-failed', 'Another process migrates the journal.')
  try {
    const version = await currentVersion(connection)
    const missing = migrations.filter((migration) => migration.version > version)
    for (const { sql } of missing) {
      for (const statement of statementsIn(sql)) await connection.query(statement)
    }
  } finally {
    await connection.query(`SELECT RELEASE_LOCK(${lockName})`)
  }
}

/** SQL that any client can run, as often as it likes. */
export function migrationScript(): string {
  const scripts = migrations.map(({ sql }) => sql.trimEnd())
  return `-- hapax: the journal, version ${schemaVersion}. May be run again: what is done is left out.\n\n${scripts.join('\n\n')}\n`
}

async function currentVersion(connection: Connection): Promise<number> {
  try {
    const { rows } = await connection.query('SELECT schema_version, min_reader FROM hapax_journal_meta')
    const [version, minReader] = rows[0] ?? []
    requireReader(Number(minReader ?? 0), schemaVersion)
    return Number(version ?? 0)
  } catch (error) {
    if (isMissingTable(error)) return 0
    throw error
  }
}

/** The driver takes one statement at a time, unless its user allows more. */
function statementsIn(sql: string): string[] {
  return sql
    .split(/;\s*$/m)
    .map((statement) => statement.replaceAll(/^[ \t]*--.*$/gm, '').trim())
    .filter((statement) => statement !== '')
}
