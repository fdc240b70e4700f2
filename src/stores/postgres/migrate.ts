import { IdempotencyError } from '../../core/errors.ts'
import type { Database } from './database.ts'
import { isMissingTable } from './errors.ts'
import { migrations } from './migrations.ts'
import { quoteIdentifier, quoteLiteral } from './statements.ts'

/** The version of the schema that this release brings a database to. */
const schemaVersion = migrations.length

/** Any number, the same in every release. */
const lockKey = 4_852_079_331

/**
 * Brings the schema up to date. Many processes may do so at once: the first to get the lock migrates, and the others
 * find that it is done. Migrations only add, so processes of an older release go on working.
 *
 * @throws {IdempotencyError} `schema-too-new`
 */
export async function migrate(database: Database, schema: string): Promise<void> {
  if ((await currentVersion(database, schema)) >= schemaVersion) return
  try {
    await database.query({ text: migrationScript(schema), isSlow: true }, [])
  } catch (error) {
    // Under a stricter isolation than usual, who waited for the lock does not see what was done meanwhile.
    const isDone = (await currentVersion(database, schema)) >= schemaVersion
    if (!isDone) throw error
  }
}

/** @throws {IdempotencyError} `schema-too-new`, or `store-failed` where the tables are missing or too old. */
export async function requireTables(database: Database, schema: string): Promise<void> {
  const version = await currentVersion(database, schema)
  if (version >= schemaVersion) return
  throw new IdempotencyError(
    'store-failed',
    `The schema ${quoteIdentifier(schema)} has ${version === 0 ? 'no tables of hapax' : `version ${version}`}, and ` +
      `this release needs version ${schemaVersion}. Run what "hapax migrate --print" shows.`,
  )
}

/** @throws {IdempotencyError} `schema-too-new` once a newer release has shut this one out. */
export async function requireCurrent(database: Database, schema: string): Promise<void> {
  await currentVersion(database, schema)
}

/**
 * The version that the database has, 0 where there are no tables.
 *
 * @throws {IdempotencyError} `schema-too-new` where a newer release has shut this one out
 */
async function currentVersion(database: Database, schema: string): Promise<number> {
  const meta = `${quoteIdentifier(schema)}.hapax_meta`
  try {
    const [row] = await database.query(
      { text: `SELECT schema_version::text, min_reader::text FROM ${meta}` },
      [],
    )
    requireReader(Number(row?.[1] ?? 0), schema)
    return Number(row?.[0] ?? 0)
  } catch (error) {
    if (isMissingTable(error)) return 0
    throw error
  }
}

/** SQL that any client can run, as often as it likes: one statement, and what is done already is left out. */
export function migrationScript(schema: string): string {
  const meta = `${quoteIdentifier(schema)}.hapax_meta`
  const steps = migrations.map(
    ({ version, sql }) => `  IF version < ${version} THEN\n${indented(sql)}\n  END IF;\n`,
  )
  const body = `
DECLARE
  version integer := 0;
BEGIN
  -- Of many that start at once, one migrates, and the others wait until it is done.
  PERFORM pg_advisory_xact_lock(${lockKey});
  IF to_regnamespace(${quoteLiteral(quoteIdentifier(schema))}) IS NULL THEN
    CREATE SCHEMA ${quoteIdentifier(schema)};
  END IF;
  PERFORM set_config('search_path', ${quoteLiteral(quoteIdentifier(schema))}, true);
  IF to_regclass(${quoteLiteral(meta)}) IS NOT NULL THEN
    SELECT schema_version INTO version FROM hapax_meta;
  END IF;

${steps.join('\n')}END
`
  const quote = quoteFor(body)
  return `-- hapax: the tables of the Postgres store, version ${schemaVersion}. May be run again: what is done is left out.
DO ${quote}${body}${quote};
`
}

/** A dollar quote that does not end within the text, whatever the schema is called. */
function quoteFor(text: string, number = 1): string {
  const quote = number === 1 ? '$hapax$' : `$hapax${number}$`
  return text.includes(quote) ? quoteFor(text, number + 1) : quote
}

function indented(sql: string): string {
  return sql.trimEnd().replaceAll(/^(?=.)/gm, '    ')
}

function requireReader(minReader: number, schema: string): void {
  if (minReader <= schemaVersion) return
  throw new IdempotencyError(
    'schema-too-new',
    `The schema ${quoteIdentifier(schema)} was changed by a newer release of hapax: it needs schema version ` +
      `${minReader}, and this release has ${schemaVersion}. Upgrade hapax here, or use another schema.`,
  )
}
