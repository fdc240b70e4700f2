import { Command } from 'commander'
import { databaseOf } from '../stores/postgres/database.ts'
import { storeError } from '../stores/postgres/errors.ts'
import { migrate, migrationScript } from '../stores/postgres/migrate.ts'
import { connectPostgres } from './connect/postgres.ts'
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
