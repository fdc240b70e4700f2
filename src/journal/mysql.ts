import type { Journal } from '../core/journal.ts'
import { duration, flag, readOptions } from '../core/option-readers.ts'
import type { Duration } from '../protocol/duration.ts'
import type { MysqlPool } from './mysql/clients.ts'
import { requirePool } from './mysql/connections.ts'
import { MysqlDialect } from './mysql/dialect.ts'
import { SqlJournal } from './sql-journal.ts'

export interface MysqlJournalOptions {
  /**
   * Create and change the tables at the first use. `false` for teams that run migrations themselves:
   * `journalSchema('mysql')` returns them. Default: `true`.
   */
  readonly migrate?: boolean
  /**
   * How long the journal waits for a key that a transaction holds, in whole seconds; then the request gets 503.
   * Default: `'2s'`.
   */
  readonly lockTimeout?: Duration
  /** How often steps that are past their time are looked for. Default: `'1m'`. */
  readonly cleanEvery?: Duration
}

/**
 * Remembers steps in the application's own MySQL (8.0 or later) or MariaDB (10.6 or later), whichever store holds the
 * records: `transaction(name, fn)` commits what `fn` does and the memory of it together, or neither.
 *
 * Takes what `createPool()` of `mysql2/promise` returns, with a database chosen and connected to the primary server. It
 * stays yours: `close()` leaves it open. `fn` gets a connection of that pool inside a transaction; it must not end that
 * itself, nor change a table's definition, which ends it too. A transaction that does nothing for a whole lease is
 * ended by the server, so that a process that stands still holds nothing up.
 *
 * @throws IdempotencyError `invalid-option`. Its verbs reject with `store-failed`, `schema-too-new`, `commit-unknown`,
 * and `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: redisStore(redis), journal: mysqlJournal(pool), scope: (req) => req.user.id })
 */
export function mysqlJournal(pool: MysqlPool, options: MysqlJournalOptions = {}): Journal {
  const { migrate, lockTimeout, cleanEvery } = readOptions<Settings>(options, optionReaders)
  const dialect = new MysqlDialect(requirePool(pool), { migrate, lockTimeoutMs: lockTimeout })
  return new SqlJournal(dialect, { lockTimeoutMs: lockTimeout, cleanEveryMs: cleanEvery })
}

/** The options as they are used, with durations in milliseconds. */
interface Settings {
  readonly migrate: boolean
  readonly lockTimeout: number
  readonly cleanEvery: number
}

const optionReaders = {
  migrate: flag(true),
  lockTimeout: duration(2_000),
  cleanEvery: duration(60_000),
}
