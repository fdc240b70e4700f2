import { oneOf, text } from '../core/option-readers.ts'
import { migrationScript as mysqlScript } from './mysql/schema.ts'
import { migrationScript as postgresScript } from './postgres/schema.ts'
import { migrationScript as sqliteScript } from './sqlite/schema.ts'

export type { Journal, JournalOpening, TransactionRequest } from '../core/journal.ts'
export { mysqlJournal, type MysqlJournalOptions } from './mysql.ts'
export type { MysqlConnection, MysqlPool } from './mysql/clients.ts'
export { postgresJournal, type PostgresJournalOptions } from './postgres.ts'
export type { NodePostgresPool, PostgresJournalClient, PostgresJsSql } from './postgres/clients.ts'
export { sqliteJournal, type SqliteJournalOptions } from './sqlite.ts'

const databases = ['postgres', 'mysql', 'sqlite'] as const

/**
 * The SQL that makes the journal's tables, for teams that run migrations themselves. For Postgres and MySQL it may be
 * run again: what is done already is left out.
 *
 * @throws IdempotencyError `invalid-option`
 * @example
 * process.stdout.write(journalSchema('postgres', { schema: 'shop' }))
 */
export function journalSchema(
  database: 'postgres' | 'mysql' | 'sqlite',
  options: { readonly schema?: string } = {},
): string {
  switch (oneOf(databases, 'postgres')(database, 'database')) {
    case 'postgres':
      return postgresScript(text('hapax')(options.schema, 'schema'))
    case 'mysql':
      return mysqlScript()
    case 'sqlite':
      return sqliteScript()
  }
}
