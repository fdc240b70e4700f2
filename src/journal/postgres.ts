import type { Journal } from '../core/journal.ts'
import { duration, flag, readOptions, text } from '../core/option-readers.ts'
import type { Duration } from '../protocol/duration.ts'
import type { PostgresJournalClient } from './postgres/clients.ts'
import { poolOf } from './postgres/connections.ts'
import { PostgresDialect } from './postgres/dialect.ts'
import { SqlJournal } from './sql-journal.ts'

export interface PostgresJournalOptions {
  /** Where the tables are. Created if it is not there. Default: `'hapax'`. */
  readonly schema?: string
  /**
   * Create and change the tables at the first use. `false` for teams that run migrations themselves:
   * `journalSchema('postgres')` returns them. Default: `true`.
   */
  readonly migrate?: boolean
  /** How long the journal waits for a key that a transaction holds; then the request gets 503. Default: `'2s'`. */
  readonly lockTimeout?: Duration
  /** How often steps that are past their time are looked for. Default: `'1m'`. */
  readonly cleanEvery?: Duration
}

/**
 * Remembers steps in the application's own Postgres (12 or later), whichever store holds the records:
 * `transaction(name, fn)` commits what `fn` does and the memory of it together, or neither.
 *
 * Takes a `Pool` of pg 8, or what `postgres()` of postgres.js 3 returns, connected to the primary server. It stays
 * yours: `close()` leaves it open. `fn` gets a client of that pool (`PoolClient`, `TransactionSql`) inside a
 * transaction; it must not end that itself. A transaction that does nothing for a whole lease is ended by the server,
 * so that a process that stands still holds nothing up.
 *
 * @throws IdempotencyError `invalid-option`. Its verbs reject with `store-failed`, `schema-too-new`, `commit-unknown`,
 * and `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: redisStore(redis), journal: postgresJournal(pool), scope: (req) => req.user.id })
 */
export function postgresJournal(pool: PostgresJournalClient, options: PostgresJournalOptions = {}): Journal {
  const { lockTimeout, cleanEvery, ...schema } = readOptions<Settings>(options, optionReaders)
  const dialect = new PostgresDialect(poolOf(pool), { ...schema, lockTimeoutMs: lockTimeout })
  return new SqlJournal(dialect, { lockTimeoutMs: lockTimeout, cleanEveryMs: cleanEvery })
}

/** The options as they are used, with durations in milliseconds. */
interface Settings {
  readonly schema: string
  readonly migrate: boolean
  readonly lockTimeout: number
  readonly cleanEvery: number
}

const optionReaders = {
  schema: text('hapax'),
  migrate: flag(true),
  lockTimeout: duration(2_000),
  cleanEvery: duration(60_000),
}
