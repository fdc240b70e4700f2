import type { Connection } from '../dialect.ts'
import { missingTables, requireReader } from '../schema.ts'
import { isMissingTable, journalError } from './errors.ts'
import { migrations } from './migrations.ts'
import { quoteIdentifier } from './statements.ts'

export interface SchemaSettings {
  readonly schema: string
  readonly migrate: boolean
}

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/** Any number, the same in every release. */
const lockKey = 4_852_079_332

/**
 * Brings the tables up to date. Many processes may do so at once: the first to get the lock migrates, and the others
 * find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws IdempotencyError `schema-too-new`; `store-failed` where the tables are not there and are not to be made
 */
export async function prepareSchema(
  connection: Connection,
  { schema, migrate }: SchemaSettings,
): Promise<void> {
  try {
    if ((await currentVersion(connection, schema)) >= schemaVersion) return
    if (!migrate) throw missingTables('postgres', `The schema ${quoteIdentifier(schema)}`)
    await connection.query(migrationScript(schema))
  } catch (error) {
    throw journalError(error)
  }
}

/** SQL that any client can run, as often as it likes: one statement, and what is done already is left out. */
export function migrationScript(schema: string): string {
  const name = quoteIdentifier(schema)
  const steps = migrations.map(
    ({ version, sql }) => `  IF version < ${version} THEN\n${indented(sql)}\n  END IF;\n`,
  )
  return `-- hapax: the journal in the schema ${name}, version ${schemaVersion}. May be run again: what is done is left out.
DO $hapax$
DECLARE
  version integer := 0;
BEGIN
  -- Of many that start at once, one migrates, and the others wait until it is done.
  PERFORM pg_advisory_xact_lock(${lockKey});
  IF to_regnamespace(${quoteLiteral(name)}) IS NULL THEN
    CREATE SCHEMA ${name};
  END IF;
  PERFORM set_config('search_path', ${quoteLiteral(name)}, true);
  IF to_regclass(${quoteLiteral(`${name}.hapax_journal_meta`)}) IS NOT NULL THEN
    SELECT schema_version INTO version FROM hapax_journal_meta;
  END IF;

${steps.join('\n')}END
$hapax$;
`
}

async function currentVersion(connection: Connection, schema: string): Promise<number> {
  const meta = `${quoteIdentifier(schema)}.hapax_journal_meta`
  try {
    const { rows } = await connection.query(`SELECT schema_version::text, min_reader::text FROM ${meta}`, [])
    const [version, minReader] = rows[0] ?? []
    requireReader(Number(minReader ?? 0), schemaVersion)
    return Number(version ?? 0)
  } catch (error) {
    if (isMissingTable(error)) return 0
    throw error
  }
}

function indented(sql: string): string {
  return sql.trimEnd().replaceAll(/^(?=.)/gm, '    ')
}

function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
