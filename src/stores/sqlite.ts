import { type Clock, systemClock } from '../core/clock.ts'
import { duration, objectWith, readOptions } from '../core/option-readers.ts'
import type { Store } from '../core/store.ts'
import type { Duration } from '../protocol/duration.ts'
import { openDatabase } from './sqlite/database.ts'
import type { SqliteDatabase } from './sqlite/handle.ts'
import { SqliteStore, type SqliteSettings } from './sqlite/store.ts'

export type { SqliteDatabase, SqliteStatement, SqliteValue } from './sqlite/handle.ts'

export interface SqliteStoreOptions {
  /**
   * How long a verb goes on trying while another connection holds the write lock; then it rejects with
   * `store-failed`. Below the `storeTimeout` of the middleware, so that the reason is told. Opening, which
   * blocks, tries five times as long. Default: `'1.5s'`.
   */
  readonly busyTimeout?: Duration
  /** How often expired records are looked for. Default: `'10s'`. */
  readonly reapEvery?: Duration
  /** Where the store reads time. Default: the clock of this machine. */
  readonly clock?: Clock
}

/**
 * Keeps records in a SQLite file on a local disk. They survive the process and the machine: each write is
 * on the disk before it is acknowledged. Several processes may share one file.
 *
 * Give the path of a file, which is opened with Node's own SQLite (Node 22.13 or later) and closed with the
 * store; or an open database of `node:sqlite`, better-sqlite3 or libsql, which is never closed here. Such a
 * database must be for this store alone: the store sets `journal_mode`, `synchronous`, `busy_timeout` and
 * `journal_size_limit` on it, and a transaction of yours would hold up every request.
 *
 * Opening is synchronous, and blocks while other processes create or change the schema.
 *
 * @throws {IdempotencyError} `invalid-option`; `sqlite-missing` on a Node without `node:sqlite`;
 * `schema-too-new`; `store-failed` and `store-full` with a sentence that names the file and the cure. The
 * verbs reject with the latter two, and with `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: sqliteStore('/var/lib/shop/keys.db'), scope: (req) => req.user.id })
 * @example
 * const store = sqliteStore(new Database('/var/lib/shop/keys.db')) // of libsql or better-sqlite3
 */
export function sqliteStore(
  pathOrDatabase: string | SqliteDatabase,
  options: SqliteStoreOptions = {},
): Store {
  const settings = readOptions<SqliteSettings>(options, optionReaders)
  return new SqliteStore(openDatabase(pathOrDatabase, { lockBoundMs: settings.busyTimeout * 5 }), settings)
}

const optionReaders = {
  busyTimeout: duration(1_500, 0),
  reapEvery: duration(10_000),
  clock: objectWith<Clock>(['now', 'monotonic', 'setTimer'], 'a clock', () => systemClock),
}
