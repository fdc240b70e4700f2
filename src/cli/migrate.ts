import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Command } from 'commander'
import type { PostgresClient } from '../stores/postgres/clients.ts'
import { databaseOf } from '../stores/postgres/database.ts'
import { storeError } from '../stores/postgres/errors.ts'
import { migrate, migrationScript } from '../stores/postgres/migrate.ts'
import { CommandFailure } from './failure.ts'

interface Flags {
  readonly store?: string
  readonly schema: string
  readonly print?: true
}

/** The command `hapax migrate`: the tables of the Postgres store, made here or printed for others to make. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Create or update the tables of the Postgres store, or print the SQL that does.')
    .option('--store <url>', 'the database: postgres://user@host/database')
    .option('--schema <name>', 'the schema of the tables', 'hapax')
    .option('--print', 'print the SQL, and connect to nothing')
    .addHelpText('after', helpText)
    .action(async (flags: Flags) => run(flags))
}

const helpText = `
The store does this by itself at its first use. Run it yourself where the application's user may not create tables,
and set migrate: false there. It may run again, and in many places at once: what is done is left out.
Connecting takes pg or postgres, installed where the command runs.`

async function run({ store, schema, print }: Flags): Promise<void> {
  if (print === true) {
    process.stdout.write(migrationScript(schema))
    return
  }
  if (store === undefined || !/^postgres(ql)?:/.test(store)) {
    throw new CommandFailure('Name the database with --store postgres://user@host/database, or add --print.')
  }
  const connection = connect(store)
  try {
    await migrate(databaseOf(connection.client, { prepare: false, answerTimeoutMs: 0 }), schema)
    process.stdout.write(`The schema "${schema}" is up to date.\n`)
  } catch (error) {
    throw storeError(error)
  } finally {
    await connection.close()
  }
}

interface Connection {
  readonly client: PostgresClient
  close(): Promise<unknown>
}

/** With the driver of whoever runs the command: hapax brings none. */
function connect(url: string): Connection {
  const require = createRequire(join(process.cwd(), 'package.json'))
  const pg = load(require, 'pg')
  if (pg !== undefined) {
    // The shapes of the drivers, which are not there when this is compiled.
    const { Pool } = pg as { Pool: new (options: object) => PostgresClient & { end(): Promise<void> } }
    const pool = new Pool({ connectionString: url, max: 1 })
    return { client: pool, close: () => pool.end() }
  }
  const postgres = load(require, 'postgres')
  if (postgres !== undefined) {
    const open = postgres as (url: string, options: object) => PostgresClient & { end(): Promise<void> }
    const sql = open(url, { max: 1 })
    return { client: sql, close: () => sql.end() }
  }
  throw new CommandFailure(
    'Neither pg nor postgres is installed here. Install one (npm install pg), or use --print and run the SQL with psql.',
  )
}

function load(require: NodeJS.Require, name: string): unknown {
  try {
    return require(name)
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND'
    if (isMissing) return undefined
    throw error
  }
}
