import { IdempotencyError } from '../../core/errors.ts'
import { isMissingTable } from './errors.ts'
import { migrations } from './migrations.ts'
import type { Query } from './session.ts'

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/** One for each database of a server; a lock's name has at most 64 characters. */
const lockName = "CONCAT('hapax_record.', MD5(DATABASE()))"
const lockSeconds = 5

/**
 * Brings the tables up to date. Many processes may do so at once: the first to get the lock migrates, and the others
 * find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws IdempotencyError `schema-too-new`, `store-failed`
 */
export async function migrate(query: Query): Promise<void> {
  if ((await currentVersion(query)) >= schemaVersion) return
  const { rows } = await query(`SELECT GET_LOCK(${lockName}, ${lockSeconds})`)
  if (Number(rows[0]?.[0]) !== 1) {
    throw new IdempotencyError(
      'store-failed',
      'Another process changes the tables of hapax. Try again when it is done.',
    )
  }
  try {
    const version = await currentVersion(query)
    for (const migration of migrations.filter((each) => each.version > version)) {
      for (const statement of statementsIn(migration.sql)) await query(statement)
    }
  } finally {
    await query(`SELECT RELEASE_LOCK(${lockName})`)
  }
}

/** @throws IdempotencyError `schema-too-new`; `store-failed` where the tables are not there */
export async function requireTables(query: Query): Promise<void> {
  if ((await currentVersion(query)) >= schemaVersion) return
  throw new IdempotencyError(
    'store-failed',
    'The database has no tables of hapax, or older ones. Create them: hapax migrate --print --dialect mysql shows how.',
  )
}

/** SQL that any client can run, as often as it likes. */
export function migrationScript(): string {
  const scripts = migrations.map(({ sql }) => sql.trimEnd())
  return `-- hapax: records, version ${schemaVersion}. May be run again: what is done is left out.\n\n${scripts.join('\n\n')}\n`
}

async function currentVersion(query: Query): Promise<number> {
  try {
    const { rows } = await query('SELECT schema_version, min_reader FROM hapax_record_meta')
    const [version, minReader] = rows[0] ?? []
    requireReader(Number(minReader ?? 0))
    return Number(version ?? 0)
  } catch (error) {
    if (isMissingTable(error)) return 0
    throw error
  }
}

function requireReader(minReader: number): void {
  if (minReader <= schemaVersion) return
  throw new IdempotencyError(
    'schema-too-new',
    `The tables were changed by a newer release of hapax: they need schema version ${minReader}, and this release ` +
      `has ${schemaVersion}. Upgrade hapax here, or use another database.`,
  )
}

/** The driver takes one statement at a time, unless its user allows more. */
function statementsIn(sql: string): string[] {
  return sql
    .split(/;\s*$/m)
    .map((statement) => statement.replaceAll(/^[ \t]*--.*$/gm, '').trim())
    .filter((statement) => statement !== '')
}
