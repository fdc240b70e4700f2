import { systemClock } from '../core/clock.ts'
import { Deadline } from '../core/deadline.ts'
import { duration, flag, readOptions } from '../core/option-readers.ts'
import type { Store } from '../core/store.ts'
import type { Duration } from '../protocol/duration.ts'
import { MysqlCells, type ServerSettings } from './mysql/cells.ts'
import { type MysqlCallbackPool, type MysqlPool, poolOf } from './mysql/clients.ts'
import { migrate, requireTables } from './mysql/migrate.ts'
import { insideTransaction, type Query, Session, withConnection } from './mysql/session.ts'
import { settingsSql } from './mysql/statements.ts'
import { Reaper } from './remote/reaper.ts'
import { SwapStore } from './remote/swap-store.ts'

export type { MysqlCallbackPool, MysqlConnection, MysqlPool, MysqlQuery } from './mysql/clients.ts'

export interface MysqlStoreOptions {
  /**
   * Create and change the tables at the first use. `false` for teams that run migrations themselves:
   * `hapax migrate --print --dialect mysql` shows them. Default: `true`.
   */
  readonly migrate?: boolean
  /** How often watched records are asked for, all in one query, while somebody waits. Default: `'100ms'`. */
  readonly pollEvery?: Duration
  /**
   * How long a statement waits for a record that another transaction holds, in whole seconds; then it rejects with
   * `store-failed`. On MariaDB only: MySQL bounds this for a whole connection (`innodb_lock_wait_timeout`). Default:
   * `'1s'`.
   */
  readonly lockTimeout?: Duration
  /** A connection that has not answered for so long is closed, and the pool opens another. Default: `'10s'`. */
  readonly answerTimeout?: Duration
  /** How often expired records are looked for. Default: `'10s'`. */
  readonly reapEvery?: Duration
}

/**
 * Keeps records in MySQL 8.0 or MariaDB 10.6, or later, for all instances of a service together.
 *
 * Takes what `createPool()` of `mysql2` or `mysql2/promise` returns, with a database chosen. It stays yours: `close()` of
 * the store leaves it open. Each statement is a transaction of its own, and never joins one of yours.
 *
 * Connect it to the primary server. What MySQL forgets, hapax can't know: `docs/mysql.md` says when it does.
 *
 * @throws {IdempotencyError} `invalid-option`. The verbs reject with `store-failed`, with `store-full` where the disk
 * is, with `schema-too-new`, and with `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: mysqlStore(createPool(url)), scope: (req) => req.user.id })
 */
export function mysqlStore(pool: MysqlPool | MysqlCallbackPool, options: MysqlStoreOptions = {}): Store {
  const settings = readOptions<Settings>(options, optionReaders)
  return openStore(poolOf(pool), settings)
}

interface Settings {
  readonly migrate: boolean
  readonly pollEvery: number
  readonly lockTimeout: number
  readonly answerTimeout: number
  readonly reapEvery: number
}

const optionReaders = {
  migrate: flag(true),
  pollEvery: duration(100),
  lockTimeout: duration(1_000),
  answerTimeout: duration(10_000),
  reapEvery: duration(10_000),
}

function openStore(pool: MysqlPool, settings: Settings): Store {
  const deadline = new Deadline(systemClock, settings.answerTimeout)
  const session = new Session(pool, deadline, async () => {
    cells.settle(await withConnection(pool, preparation, (query) => prepare(query, settings)))
    reaper.start()
  })
  const cells = new MysqlCells(session, settings.lockTimeout)
  const reaper = new Reaper(settings.reapEvery, {
    reap: (count) => cells.reap(count),
    check: async () => {
      try {
        await withConnection(pool, deadline, requireTables)
      } catch (error) {
        // A newer release may have shut this one out while it runs.
        session.prepareAgain()
        throw error
      }
    },
  })
  return new SwapStore(cells, {
    name: 'mysql',
    factory: 'mysqlStore',
    pollEveryMs: settings.pollEvery,
    clockSkewMs: 0,
    onClose: () => reaper.stop(),
  })
}

/** Changing the tables takes longer than an answer may. */
const preparation = new Deadline(systemClock, 60_000)

async function prepare(query: Query, settings: Settings): Promise<ServerSettings> {
  if (settings.migrate) await migrate(query)
  else await requireTables(query)
  const { rows } = await query(settingsSql)
  const [version, autocommit, longestPacketBytes, nowMs] = rows[0] ?? []
  if (Number(autocommit) !== 1) throw insideTransaction()
  return {
    isMariaDb: String(version).includes('MariaDB'),
    longestPacketBytes: Number(longestPacketBytes),
    nowMs: Number(nowMs),
  }
}
