import { invalidOption, IdempotencyError } from '../core/errors.ts'
import type { Journal, JournalOpening, TransactionRequest } from '../core/journal.ts'
import { duration, flag, readOptions } from '../core/option-readers.ts'
import type { StepResult } from '../core/record.ts'
import type { HeldLease, StepChange, WriteResult } from '../core/store.ts'
import type { Duration } from '../protocol/duration.ts'
import type { SqliteDatabase } from '../stores/sqlite/handle.ts'
import { Cleaner } from './cleaner.ts'
import { finishedStep } from './encoding.ts'
import { judge } from './head.ts'
import { noTransaction } from './joining.ts'
import { isDatabase, JournalDatabase } from './sqlite/database.ts'
import { journalClosed } from './sql-journal.ts'
import { JournalTables } from './sqlite/tables.ts'

export interface SqliteJournalOptions {
  /**
   * Create and change the tables when the journal is made. `false` for teams that run migrations themselves:
   * `journalSchema('sqlite')` returns them. Default: `true`.
   */
  readonly migrate?: boolean
  /**
   * How long the journal waits while another connection writes; then a request gets 503, and a transaction rejects with
   * `store-failed`. Default: `'1.5s'`.
   */
  readonly busyTimeout?: Duration
  /** How often steps that are past their time are looked for. Default: `'1m'`. */
  readonly cleanEvery?: Duration
}

/**
 * Remembers steps in the application's own SQLite file, whichever store holds the records: `transaction(name, fn)`
 * commits what `fn` does and the memory of it together, or neither.
 *
 * Give the path of the application's file, to which the journal opens a connection of its own (Node 22.13 or later) and
 * closes it with itself; or an open database of `node:sqlite`, better-sqlite3 or libsql, which nothing else may use:
 * whatever did would become part of a step's transaction. `fn` gets that connection, and must not be asynchronous: the
 * file is locked for everyone until it returns. Keep records in another file.
 *
 * Opening is synchronous.
 *
 * @throws IdempotencyError `invalid-option`, `sqlite-missing`, `schema-too-new`, `store-failed`. Its verbs reject with
 * `store-failed`, `store-full`, and `store-closed` after `close()`.
 * @example
 * const once = idempotency({ journal: sqliteJournal('/var/lib/shop/shop.db'), scope: (req) => req.user.id })
 */
export function sqliteJournal(
  pathOrDatabase: string | SqliteDatabase,
  options: SqliteJournalOptions = {},
): Journal {
  const settings = readOptions<Settings>(options, optionReaders)
  return new SqliteJournal(new JournalDatabase(pathOrDatabase, settings), settings.cleanEvery)
}

/** The options as they are used, with durations in milliseconds. */
interface Settings {
  readonly migrate: boolean
  readonly busyTimeout: number
  readonly cleanEvery: number
}

const optionReaders = {
  migrate: flag(true),
  busyTimeout: duration(1_500, 0),
  cleanEvery: duration(60_000),
}

class SqliteJournal implements Journal {
  readonly name = 'sqlite'
  readonly #database: JournalDatabase
  readonly #cleaner: Cleaner
  #closing: Promise<void> | undefined

  constructor(database: JournalDatabase, cleanEveryMs: number) {
    this.#database = database
    this.#cleaner = new Cleaner({
      everyMs: cleanEveryMs,
      deleteExpired: (limit) => database.write((tables) => tables.deleteOver(limit)),
    })
    this.#cleaner.start()
  }

  async open(lease: HeldLease, keepMs: number): Promise<JournalOpening> {
    return this.#write((tables) => {
      const head = tables.head(lease.id)
      const verdict = head === undefined ? 'renewed' : judge(head, lease)
      if (verdict === 'renewed') tables.renewHead(lease, keepMs)
      else if (verdict === 'opened') tables.enter(lease, keepMs)
      else return { kind: verdict }
      return { kind: 'opened', steps: tables.steps(lease.id) }
    })
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    return this.#write((tables) => {
      if (tables.head(lease.id)?.token !== lease.token) return 'stale'
      if (change.state === 'undone') tables.deleteStep(lease.id, change.name)
      else tables.putStep(lease, change)
      return 'written'
    })
  }

  async transact(request: TransactionRequest): Promise<WriteResult> {
    if (request.within !== undefined) return this.#join(request.within, request)
    try {
      return await this.#write((tables, sql) => {
        const result = this.#work(request, sql)
        if (!addStep(tables, request, result)) throw new Stale()
        return 'written'
      })
    } catch (error) {
      if (error instanceof Stale) return 'stale'
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** An open transaction of the application's own, on its own connection to the same file. */
  #join(within: unknown, request: TransactionRequest): WriteResult {
    this.#requireOpen()
    if (!isDatabase(within)) throw invalidOption('within', 'an open SQLite database', within)
    if (!isInTransaction(within)) throw noTransaction(request)
    within.exec('SAVEPOINT hapax_step')
    try {
      const result = syncResult(request, request.work(within))
      if (!addStep(new JournalTables(within), request, result)) throw new Stale()
    } catch (error) {
      returnToSavepoint(within)
      if (error instanceof Stale) return 'stale'
      throw error
    }
    within.exec('RELEASE hapax_step')
    return 'written'
  }

  #work(request: TransactionRequest, sql: SqliteDatabase): StepResult {
    const returned = request.work(sql)
    // Whatever that function still does must not be done on this connection, where it would be committed unseen.
    if (returned instanceof Promise) this.#database.abandon()
    return syncResult(request, returned)
  }

  async #write<T>(work: (tables: JournalTables, sql: SqliteDatabase) => T): Promise<T> {
    this.#requireOpen()
    return this.#database.write(work)
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw journalClosed(this.name)
  }

  async #close(): Promise<void> {
    await this.#cleaner.stop()
    await this.#database.close()
  }
}

/** Rolls a transaction back. */
class Stale extends Error {}

/** The fence, and the memory of the step. False: the lease is stale. */
function addStep(tables: JournalTables, { step }: TransactionRequest, result: StepResult): boolean {
  if (step === undefined) return true
  if (tables.head(step.lease.id)?.token !== step.lease.token) return false
  tables.putStep(step.lease, finishedStep(step, result))
  return true
}

function syncResult({ step }: TransactionRequest, returned: StepResult | Promise<StepResult>): StepResult {
  if (!(returned instanceof Promise)) return returned
  returned.catch(() => {})
  throw new IdempotencyError(
    'invalid-step',
    `The function of transaction(${JSON.stringify(step?.name ?? '')}) is asynchronous, and SQLite would be locked for ` +
      'everyone until it ends. It was rolled back. Make it return at once; what must be awaited, do in a step() before.',
  )
}

/** So that an application which commits all the same commits no half of the step. */
function returnToSavepoint(sql: SqliteDatabase): void {
  try {
    sql.exec('ROLLBACK TO hapax_step; RELEASE hapax_step')
  } catch {
    // SQLite has rolled the whole transaction back by itself.
  }
}

function isInTransaction(sql: SqliteDatabase): boolean {
  try {
    sql.exec('BEGIN')
  } catch {
    return true
  }
  sql.exec('ROLLBACK')
  return false
}
