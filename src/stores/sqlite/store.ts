import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import type { IdempotencyRecord } from '../../core/record.ts'
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
} from '../../core/store.ts'
import * as rules from '../../core/transitions.ts'
import { storeClosed } from '../embedded/closed.ts'
import { ForwardClock } from '../embedded/forward-clock.ts'
import { Watchers } from '../embedded/watchers.ts'
import type { OpenDatabase } from './database.ts'
import { isBusy, storeError } from './errors.ts'
import { ForeignChanges } from './foreign-changes.ts'
import { inspectRecords } from './inspect.ts'
import { Reaper } from './reaper.ts'
import { type Found, Records } from './records.ts'
import { WriteQueue } from './write-queue.ts'

/** The options as they are used, with durations in milliseconds. */
export interface SqliteSettings {
  readonly busyTimeout: number
  readonly reapEvery: number
  readonly clock: Clock
}

export class SqliteStore implements Store {
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
    const records = new Records(database.sql, new ForwardClock(clock), database.foreign)
    this.#records = records
    this.#queue = new WriteQueue(
      {
        transaction: (work) => records.transaction(work),
        durable: (changed) => database.logSync?.committed(changed),
        isBusy,
        explain: (error) => this.#explain(error),
        onChanged: (ids) => this.#notify(ids),
      },
      busyTimeout,
    )
    this.#foreignChanges = new ForeignChanges(
      clock,
      { seen: () => database.foreign.look(), stamp: (id) => records.stamp(id) },
      this.#watchers,
    )
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
    this.#requireUsable()
    // Most claims that are not the first need no write: a replay must not cost a wait for the disk. The read
    // decides nothing that is written: a claim that writes decides again inside its transaction.
    const answer = this.#answerWithoutWriting(request)
    if (answer === undefined) return this.#write(() => this.#claim(request))
    const synced = this.#synced(request.id)
    if (synced !== undefined) await synced
    return answer
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
      () => this.#complete(lease, outcome),
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
      const found = this.#records.findAny(request.id)
      if (found === undefined) return undefined
      const { result, write } = decideClaim(found, request)
      return write === undefined ? result : undefined
    } catch (error) {
      // A write waits for the lock, and then decides.
      if (isBusy(error)) return undefined
      throw this.#explain(error)
    }
  }

  /** Inside a write transaction. Most keys that come here are new, so that is tried first. */
  #claim(request: ClaimRequest): ClaimResult {
    const { result, write } = rules.claim(undefined, request, this.#records.now())
    if (write !== undefined && this.#records.insert(write)) return result
    return this.#apply(decideClaim(this.#records.find(request.id), request))
  }

  /** Inside a write transaction. Most runs end while their record is as their claim left it, so that is tried first. */
  #complete(lease: HeldLease, outcome: Outcome): WriteResult {
    const end = rules.ended(lease, outcome, this.#records.now())
    if (this.#records.endRun(end)) return 'written'
    return this.#change<WriteResult>(lease.id, 'stale', (record, nowMs) =>
      rules.complete(record, lease, outcome, nowMs),
    )
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
    this.#requireUsable()
    return this.#queue.submit(work, weight)
  }

  async #read<T>(work: () => T, giveUpMs = performance.now() + this.#busyTimeoutMs): Promise<T> {
    this.#requireUsable()
    try {
      const result = work()
      this.#database.foreign.look()
      await this.#synced()
      return result
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpMs) throw this.#explain(error)
    }
    // Readers meet a lock only while another process recovers the log or removes it.
    await sleep(5 + Math.random() * 10)
    return this.#read(work, giveUpMs)
  }

  /** To be called in the turn in which was read; what it returns stands between reading and telling. `id`: the only record read. */
  #synced(id?: string): Promise<void> | undefined {
    return this.#database.logSync?.seen(id)
  }

  #notify(ids: Iterable<string>): void {
    for (const id of ids) this.#watchers.notify(id)
  }

  #explain(error: unknown): Error {
    return storeError(error, this.#database.file)
  }

  #requireUsable(): void {
    if (this.#closing !== undefined) throw storeClosed('sqliteStore')
    const failure = this.#database.logSync?.failure
    if (failure !== undefined) throw failure
  }

  async #shutDown(): Promise<void> {
    this.#reaper.stop()
    this.#foreignChanges.stop()
    this.#watchers.clear()
    await this.#queue.drain()
    await this.#database.logSync?.close()
    this.#database.close()
  }
}

function decideClaim(found: Found, request: ClaimRequest): rules.Transition<ClaimResult> {
  if (found.kind === 'unreadable') return { result: { kind: 'unreadable', reason: found.reason } }
  return rules.claim(found.record, request, found.nowMs)
}
