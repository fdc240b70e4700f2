import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { invalidOption } from '../../core/errors.ts'
import { type DatabaseFile, isBusy, storeError } from '../../stores/sqlite/errors.ts'
import { openWithNode, type OwnedDatabase, type SqliteDatabase } from '../../stores/sqlite/handle.ts'
import { prepareSchema } from './schema.ts'
import { JournalTables } from './tables.ts'

export interface DatabaseSettings {
  readonly migrate: boolean
  readonly busyTimeout: number
}

/** Opening blocks, as it is synchronous, while other processes do the same. */
const openingTimeoutFactor = 5

/** The journal's own connection to the application's file. One transaction at a time runs on it. */
export class JournalDatabase {
  readonly #settings: DatabaseSettings
  readonly #file: DatabaseFile
  /** Undefined for a connection that was given. */
  #owned: OwnedDatabase | undefined
  #sql: SqliteDatabase
  #last: Promise<unknown> = Promise.resolve()

  constructor(target: string | SqliteDatabase, settings: DatabaseSettings) {
    this.#settings = settings
    if (typeof target === 'string') {
      if (target === '') throw invalidOption('pathOrDatabase', 'the path of a file', target)
      this.#file = target === ':memory:' ? undefined : resolve(target)
      this.#owned = this.#explained(() => openWithNode(this.#file ?? target, 'sqliteJournal'))
      this.#sql = this.#owned
    } else {
      if (!isDatabase(target)) {
        throw invalidOption('pathOrDatabase', 'the path of a file, or an open SQLite database', target)
      }
      this.#file = undefined
      this.#sql = target
    }
    this.#explained(() => this.#prepare())
  }

  /**
   * Runs `work` in a write transaction, and resolves to what it returned when that is committed. It runs once: what
   * waits for the lock is the beginning, and the end.
   */
  write<T>(work: (tables: JournalTables, sql: SqliteDatabase) => T): Promise<T> {
    const running = this.#last.then(() => this.#write(work))
    this.#last = running.catch(() => {})
    return running
  }

  /** Closes the connection where that is ours to do, and opens another; the transaction under way is lost. */
  abandon(): void {
    if (this.#owned === undefined || this.#file === undefined) return
    this.#owned.close()
    this.#owned = openWithNode(this.#file, 'sqliteJournal')
    this.#sql = this.#owned
    configure(this.#sql)
  }

  async close(): Promise<void> {
    await this.#last
    this.#explained(() => this.#owned?.close())
    this.#owned = undefined
  }

  async #write<T>(work: (tables: JournalTables, sql: SqliteDatabase) => T): Promise<T> {
    await this.#retried(() => this.#sql.exec('BEGIN IMMEDIATE'))
    const sql = this.#sql
    let result: T
    try {
      result = work(new JournalTables(sql), sql)
    } catch (error) {
      rollBack(this.#sql)
      throw error
    }
    try {
      // Without a write-ahead log, readers of other connections hold up the end of a transaction.
      await this.#retried(() => sql.exec('COMMIT'))
    } catch (error) {
      rollBack(sql)
      throw error
    }
    return result
  }

  /** SQLite would wait for a lock by blocking the event loop. */
  async #retried(work: () => void): Promise<void> {
    const giveUpAtMs = performance.now() + this.#settings.busyTimeout
    for (;;) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error) || performance.now() >= giveUpAtMs) throw storeError(error, this.#file)
      }
      await sleep(1 + Math.random() * 10)
    }
  }

  #prepare(): void {
    // While the tables are made, SQLite may wait by blocking: the program is starting.
    this.#sql.exec(`PRAGMA busy_timeout = ${this.#settings.busyTimeout * openingTimeoutFactor}`)
    prepareSchema(this.#sql, this.#settings.migrate)
    configure(this.#sql)
  }

  #explained<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw storeError(error, this.#file)
    }
  }
}

export function isDatabase(target: unknown): target is SqliteDatabase {
  if (typeof target !== 'object' || target === null) return false
  return ['exec', 'prepare'].every((name) => typeof Reflect.get(target, name) === 'function')
}

/** Only what belongs to the connection: the file and its log are the application's. */
function configure(sql: SqliteDatabase): void {
  sql.exec('PRAGMA busy_timeout = 0; PRAGMA synchronous = FULL')
}

function rollBack(sql: SqliteDatabase): void {
  try {
    sql.exec('ROLLBACK')
  } catch {
    // SQLite has rolled back by itself, or the connection is a new one.
  }
}
