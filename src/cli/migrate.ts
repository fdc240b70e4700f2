import { Command, Option } from 'commander'
import * as mysqlErrors from '../stores/mysql/errors.ts'
import * as mysqlTables from '../stores/mysql/migrate.ts'
import { systemClock } from '../core/clock.ts'
import { Deadline } from '../core/deadline.ts'
import { withConnection } from '../stores/mysql/session.ts'
import { databaseOf } from '../stores/postgres/database.ts'
import { storeError } from '../stores/postgres/errors.ts'
import { migrate, migrationScript } from '../stores/postgres/migrate.ts'
import { connectMysql } from './connect/mysql.ts'
import { connectPostgres } from './connect/postgres.ts'
import { CommandFailure } from './failure.ts'

interface Flags {
  readonly store?: string
  readonly schema: string
  readonly dialect: 'postgres' | 'mysql'
  readonly print?: true
}

/** The command `hapax migrate`: the tables of the Postgres or MySQL store, made here or printed for others to make. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('Create or update the tables of the Postgres or MySQL store, or print the SQL that does.')
    .option('--store <url>', 'the database: postgres://user@host/database or mysql://user@host/database')
    .option('--schema <name>', 'the schema of the tables, in Postgres', 'hapax')
    .option('--print', 'print the SQL, and connect to nothing')
    .addOption(
      new Option('--dialect <name>', 'of what --print prints')
        .choices(['postgres', 'mysql'])
        .default('postgres'),
    )
    .addHelpText('after', helpText)
    .action(async (flags: Flags) => run(flags))
}

const helpText = `
The store does this by itself at its first use. Run it yourself where the application's user may not create tables,
and set migrate: false there. It may run again, and in many places at once: what is done is left out.
Connecting takes pg or postgres, or mysql2, installed where the command runs.`

async function run({ store, schema, dialect, print }: Flags): Promise<void> {
  if (print === true) {
    process.stdout.write(dialect === 'mysql' ? mysqlTables.migrationScript() : migrationScript(schema))
    return
  }
  if (store !== undefined && /^postgres(ql)?:/.test(store)) return migratePostgres(store, schema)
  if (store !== undefined && /^(mysql|mariadb):/.test(store)) return migrateMysql(store)
  throw new CommandFailure(
    'Name the database with --store postgres://user@host/database or mysql://user@host/database, or add --print.',
  )
}

async function migratePostgres(store: string, schema: string): Promise<void> {
  const connection = await connectPostgres(store)
  try {
    await migrate(databaseOf(connection.client, { prepare: false, answerTimeoutMs: 0 }), schema)
    process.stdout.write(`The schema "${schema}" is up to date.\n`)
  } catch (error) {
    throw storeError(error)
  } finally {
    await connection.close()
  }
}

const longestMigrationMs = 600_000

async function migrateMysql(store: string): Promise<void> {
  const { pool, close } = await connectMysql(store.replace(/^mariadb:/, 'mysql:'))
  try {
    await withConnection(pool, new Deadline(systemClock, longestMigrationMs), mysqlTables.migrate)
    process.stdout.write('The tables are up to date.\n')
  } catch (error) {
    throw mysqlErrors.storeError(error)
  } finally {
    await close()
  }
}
