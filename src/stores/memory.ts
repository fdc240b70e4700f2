import { type Clock, systemClock, type Timer } from '../core/clock.ts'
import { IdempotencyError } from '../core/errors.ts'
import { objectWith, readOptions, wholeNumber } from '../core/option-readers.ts'
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
import { entombed } from '../core/tombstone.ts'
import * as rules from '../core/transitions.ts'
import { storeClosed } from './embedded/closed.ts'
import { ForwardClock } from './embedded/forward-clock.ts'
import { Watchers } from './embedded/watchers.ts'
import { inspectTable } from './memory/inspect.ts'
import { ownCopy } from './memory/own-copy.ts'
import { RecordTable } from './memory/table.ts'

export interface MemoryStoreOptions {
  /** How many records may be kept at once. Beyond it new keys are refused. Default: 100 000. */
  readonly maxRecords?: number
  /** About how many bytes the records may take together. Default: 268 435 456 (256 MiB). */
  readonly maxBytes?: number
  /** Where the store reads time. Default: the clock of this machine. */
  readonly clock?: Clock
}

/**
 * Keeps records in this process: for tests, development, and programs of one process that may forget all
 * keys when they end. A second process knows nothing of them, so its duplicates run again.
 *
 * It is bounded and never drops a record that is still good: dropping one would run a handler twice. A new
 * key that finds no room is refused (`store-full`); an answer that finds no room leaves a tombstone with its
 * status and `Location`. A record that is held can always be renewed, completed and released.
 *
 * @throws {IdempotencyError} `invalid-option` for a wrong or unknown option. The store's verbs reject with
 * `store-full` for a new key without room, and with `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: memoryStore({ maxRecords: 10_000 }), scope: (req) => req.user.id })
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(readOptions<Required<MemoryStoreOptions>>(options, optionReaders))
}

const optionReaders = {
  maxRecords: wholeNumber(100_000, 1),
  maxBytes: wholeNumber(256 * 1024 * 1024, 1),
  clock: objectWith<Clock>(['now', 'monotonic', 'setTimer'], 'a clock', () => systemClock),
}

/** How many expired records a claim deletes at most: more than it adds, so that they can't gather. */
const sweptPerClaim = 8
const sweptPerTimer = 1_000
const sweepEveryMs = { least: 1_000, most: 60_000 }

// Every verb reads, decides and writes in one turn of the event loop: that is what makes it atomic.
class MemoryStore implements Store {
  readonly name = 'memory'
  readonly durable = false
  readonly inspect: Inspection
  readonly #options: Required<MemoryStoreOptions>
  readonly #clock: ForwardClock
  readonly #table = new RecordTable()
  readonly #watchers = new Watchers()
  #sweeper: Timer | undefined
  #closed = false

  constructor(options: Required<MemoryStoreOptions>) {
    this.#options = options
    this.#clock = new ForwardClock(options.clock)
    this.inspect = inspectTable(this.#table, {
      now: () => this.#now(),
      put: (record) => this.#put(this.#bounded(record)),
      delete: (id) => this.#delete(id),
    })
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const nowMs = this.#now()
    const found = this.#table.get(request.id)
    const { result, write } = rules.claim(found, request, nowMs)
    if (write !== undefined) {
      this.#sweep(nowMs, sweptPerClaim)
      if (found === undefined) this.#requireRoom(write)
      this.#put(write)
    }
    return result
  }

  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    const nowMs = this.#now()
    return leases.map((lease) => {
      const { result, write } = rules.renew(this.#table.get(lease.id), lease, nowMs)
      if (write !== undefined) this.#put(write)
      return result
    })
  }

  async complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    const { result, write } = rules.complete(this.#table.get(lease.id), lease, outcome, this.#now())
    if (write !== undefined) this.#put(this.#bounded(write))
    return result
  }

  async release(lease: HeldLease, options: { readonly clean: boolean }): Promise<WriteResult> {
    const { result, write } = rules.release(this.#table.get(lease.id), lease, options.clean, this.#now())
    if (write !== undefined) this.#put(write)
    return result
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    const nowMs = this.#now()
    const found = this.#table.get(lease.id)
    const { result, write } = rules.recordStep(found, lease, change, nowMs)
    if (write === undefined) return result
    if (change.state === 'finished' && change.result.kind === 'json' && !this.#fits(write)) {
      return this.recordStep(lease, { ...change, result: { kind: 'not-kept' } })
    }
    if (change.state === 'begun' && !this.#fits(write)) throw this.#full()
    this.#put(write)
    return result
  }

  async abandon(id: string, owner: string): Promise<void> {
    const { write } = rules.abandon(this.#table.get(id), owner, this.#now())
    if (write !== undefined) this.#put(write)
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#now()
    return this.#watchers.add(id, listener)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#sweeper?.cancel()
    this.#watchers.clear()
  }

  /** The time of this verb; every verb asks for it first. */
  #now(): number {
    if (this.#closed) throw storeClosed('memoryStore')
    return this.#clock.now()
  }

  #put(record: IdempotencyRecord): void {
    this.#table.put(record)
    this.#watchers.notify(record.id)
    this.#armSweeper()
  }

  #delete(id: string): IdempotencyRecord | undefined {
    const deleted = this.#table.delete(id)
    if (deleted === undefined) return undefined
    this.#clock.passToken(deleted.token)
    this.#watchers.notify(id)
    return deleted
  }

  #requireRoom(record: IdempotencyRecord): void {
    if (this.#table.size < this.#options.maxRecords && this.#fits(record)) return
    throw this.#full()
  }

  #full(): IdempotencyError {
    const { maxRecords, maxBytes } = this.#options
    return new IdempotencyError(
      'store-full',
      `The memory store is full (${this.#table.size} of ${maxRecords} records, about ` +
        `${this.#table.bytes} of ${maxBytes} bytes) and drops none that is still good. ` +
        'Raise maxRecords or maxBytes, shorten retain, or use a store on disk.',
    )
  }

  /** The record with an answer that is the store's own, or with a tombstone where there is no room for it. */
  #bounded(record: IdempotencyRecord): IdempotencyRecord {
    if (record.state !== 'completed') return record
    while (!this.#fits(record)) {
      if (this.#sweep(record.completedAtMs, 1) === 1) continue
      return { ...record, response: entombed(record.response, 'store-refused') }
    }
    return { ...record, response: ownCopy(record.response) }
  }

  #fits(record: IdempotencyRecord): boolean {
    const growth = this.#table.growthBy(record)
    return growth <= 0 || this.#table.bytes + growth <= this.#options.maxBytes
  }

  #sweep(nowMs: number, atMost: number): number {
    for (let swept = 0; swept < atMost; swept += 1) {
      const expired = this.#table.takeExpired(nowMs)
      if (expired === undefined) return swept
      this.#clock.passToken(expired.token)
    }
    return atMost
  }

  /** One timer for the whole store, so that an idle process gives memory back too. */
  #armSweeper(): void {
    const firstExpiryMs = this.#table.firstExpiryMs()
    if (this.#sweeper !== undefined || this.#closed || firstExpiryMs === undefined) return
    const delayMs = Math.max(firstExpiryMs - this.#clock.now(), sweepEveryMs.least)
    this.#sweeper = this.#options.clock.setTimer(
      () => {
        this.#sweeper = undefined
        this.#sweep(this.#clock.now(), sweptPerTimer)
        this.#armSweeper()
      },
      Math.min(delayMs, sweepEveryMs.most),
    )
  }
}
