import { setTimeout as sleep } from 'node:timers/promises'
import { type Clock, systemClock } from '../core/clock.ts'
import { duration, objectWith, readOptions } from '../core/option-readers.ts'
import type { IdempotencyRecord } from '../core/record.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../core/store.ts'
import * as rules from '../core/transitions.ts'
import type { Duration } from '../protocol/duration.ts'
import { storeClosed } from './embedded/closed.ts'
import { ForwardClock } from './embedded/forward-clock.ts'
import { Watchers } from './embedded/watchers.ts'
import { type OpenDatabase, openDatabase } from './sqlite/database.ts'
import { isBusy, storeError } from './sqlite/errors.ts'
import { isFields } from './encoding/fields.ts'
import { ForeignChanges } from './sqlite/foreign-changes.ts'
import type { SqliteDatabase } from './sqlite/handle.ts'
import { inspectRecords } from './sqlite/inspect.ts'
import { Reaper } from './sqlite/reaper.ts'
import { Records } from './sqlite/records.ts'
import { WriteQueue } from './sqlite/write-queue.ts'

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
  return new SqliteStore(openDatabase(pathOrDatabase, settings.busyTimeout * 5), settings)
}

/** The options as they are used, with durations in milliseconds. */
interface SqliteSettings {
  readonly busyTimeout: number
  readonly reapEvery: number
  readonly clock: Clock
}

const optionReaders = {
  busyTimeout: duration(1_500, 0),
  reapEvery: duration(10_000),
  clock: objectWith<Clock>(['now', 'monotonic', 'setTimer'], 'a clock', () => systemClock),
}

class SqliteStore implements Store {
  readonly name = 'sqlite'
  readonly durable: boolean
  readonly inspect: Inspection
  readonly #database: OpenDatabase
  readonly #records: Records
  readonly #queue: WriteQueue
  readonly #watchers = new Watchers()
  readonly #foreignChanges: ForeignChanges
  readonly #reaper: Reaper
  readonly #busyTimeoutMs: number
  #closing: Promise<void> | undefined

  constructor(database: OpenDatabase, { clock, busyTimeout, reapEvery }: SqliteSettings) {
    this.durable = database.file !== undefined
    this.#database = database
    this.#busyTimeoutMs = busyTimeout
    const records = new Records(database.sql, new ForwardClock(clock))
    this.#records = records
    this.#queue = new WriteQueue(
      {
        transaction: (work) => records.transaction(work),
        isBusy,
        explain: (error) => this.#explain(error),
        onChanged: (ids) => this.#notify(ids),
      },
      busyTimeout,
    )
    this.#foreignChanges = new ForeignChanges(clock, changeSource(database.sql, records), this.#watchers)
    this.#reaper = new Reaper(clock, reapEvery, {
      hasExpired: () => records.hasExpired(),
      reap: () => this.#queue.submit(() => records.reap(), 0),
    })
    this.inspect = inspectRecords(database.sql, records, {
      read: (work) => this.#read(work),
      write: (work) => this.#write(work),
    })
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#requireOpen()
    // Most claims that are not the first need no write: a replay must not cost a wait for the disk. The read
    // decides nothing that is written: a claim that writes decides again inside its transaction.
    const answer = this.#answerWithoutWriting(request)
    return answer ?? this.#write(() => this.#apply(this.#decideClaim(request)))
  }

  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    return this.#write(() =>
      leases.map((lease) =>
        this.#change<RenewResult>(lease.id, 'stale', (record, nowMs) => rules.renew(record, lease, nowMs)),
      ),
    )
  }

  async complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    return this.#write(
      () =>
        this.#change<WriteResult>(lease.id, 'stale', (record, nowMs) =>
          rules.complete(record, lease, outcome, nowMs),
        ),
      outcome.kind === 'response' && outcome.response.kind === 'kept' ? outcome.response.body.byteLength : 0,
    )
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    return this.#write(() =>
      this.#change<WriteResult>(lease.id, 'stale', (record, nowMs) =>
        rules.release(record, lease, clean, nowMs),
      ),
    )
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    return this.#write(() =>
      this.#change<WriteResult>(lease.id, 'stale', (record, nowMs) =>
        rules.recordStep(record, lease, change, nowMs),
      ),
    )
  }

  async abandon(id: string, owner: string): Promise<void> {
    return this.#write(() =>
      this.#change<void>(id, undefined, (record, nowMs) => rules.abandon(record, owner, nowMs)),
    )
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    const unsubscribe = this.#watchers.add(id, listener)
    try {
      await this.#read(() => this.#foreignChanges.begin(id))
      return unsubscribe
    } catch (error) {
      unsubscribe()
      throw error
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  #answerWithoutWriting(request: ClaimRequest): ClaimResult | undefined {
    try {
      const { result, write } = this.#decideClaim(request)
      return write === undefined ? result : undefined
    } catch (error) {
      // A write waits for the lock, and then decides.
      if (isBusy(error)) return undefined
      throw this.#explain(error)
    }
  }

  #decideClaim(request: ClaimRequest): rules.Transition<ClaimResult> {
    const found = this.#records.find(request.id)
    if (found.kind === 'unreadable') return { result: { kind: 'unreadable', reason: found.reason } }
    return rules.claim(found.record, request, found.nowMs)
  }

  /** Applies a rule inside a write transaction. A record that can't be read is never written over. */
  #change<T>(
    id: string,
    unreadable: T,
    rule: (record: IdempotencyRecord | undefined, nowMs: number) => rules.Transition<T>,
  ): T {
    const found = this.#records.find(id)
    return found.kind === 'unreadable' ? unreadable : this.#apply(rule(found.record, found.nowMs))
  }

  #apply<T>({ result, write }: rules.Transition<T>): T {
    if (write !== undefined) this.#records.save(write)
    return result
  }

  /** `weight`: about how many bytes `work` writes. */
  async #write<T>(work: () => T, weight = 0): Promise<T> {
    this.#requireOpen()
    return this.#queue.submit(work, weight)
  }

  async #read<T>(work: () => T, giveUpMs = performance.now() + this.#busyTimeoutMs): Promise<T> {
    this.#requireOpen()
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpMs) throw this.#explain(error)
    }
    // Readers meet a lock only while another process recovers the log or removes it.
    await sleep(5 + Math.random() * 10)
    return this.#read(work, giveUpMs)
  }

  #notify(ids: Iterable<string>): void {
    for (const id of ids) this.#watchers.notify(id)
  }

  #explain(error: unknown): Error {
    return storeError(error, this.#database.file)
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw storeClosed('sqliteStore')
  }

  async #shutDown(): Promise<void> {
    this.#reaper.stop()
    this.#foreignChanges.stop()
    this.#watchers.clear()
    await this.#queue.drain()
    this.#database.close()
  }
}

function changeSource(sql: SqliteDatabase, records: Records) {
  const statement = sql.prepare('PRAGMA data_version')
  return {
    dataVersion: () => {
      const row = statement.get()
      return isFields(row) ? row['data_version'] : undefined
    },
    stamp: (id: string) => records.stamp(id),
  }
}
