import type { IdempotencyRecord } from '../../core/record.ts'
import { ExpiryHeap, type Expiring } from './expiry-heap.ts'
import { sizeOf } from './size.ts'

export interface Entry extends Expiring {
  record: IdempotencyRecord
  bytes: number
  /** Rises with each new record: the order in which records are listed. */
  readonly position: number
}

/** All records of a memory store, with what bounds it: their number, their size and their expiry. */
export class RecordTable {
  readonly #entries = new Map<string, Entry>()
  readonly #byExpiry = new ExpiryHeap<Entry>()
  #lastPosition = 0
  #bytes = 0

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get(id: string): IdempotencyRecord | undefined {
    return this.#entries.get(id)?.record
  }

  firstExpiryMs(): number | undefined {
    return this.#byExpiry.first()?.expiresAtMs
  }

  /** By how many bytes the table would grow if this record were put. */
  growthBy(record: IdempotencyRecord): number {
    return sizeOf(record) - (this.#entries.get(record.id)?.bytes ?? 0)
  }

  put(record: IdempotencyRecord): void {
    const bytes = sizeOf(record)
    const { expiresAtMs } = record
    const entry = this.#entries.get(record.id)
    if (entry === undefined) {
      this.#lastPosition += 1
      const added: Entry = { record, bytes, expiresAtMs, heapIndex: 0, position: this.#lastPosition }
      this.#entries.set(record.id, added)
      this.#byExpiry.add(added)
      this.#bytes += bytes
      return
    }
    this.#bytes += bytes - entry.bytes
    Object.assign(entry, { record, bytes, expiresAtMs })
    this.#byExpiry.moved(entry)
  }

  delete(id: string): IdempotencyRecord | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    this.#byExpiry.remove(entry)
    this.#bytes -= entry.bytes
    return entry.record
  }

  /** Deletes and returns the record that expired first, if its time has come. */
  takeExpired(nowMs: number): IdempotencyRecord | undefined {
    const first = this.#byExpiry.first()
    if (first === undefined || first.expiresAtMs > nowMs) return undefined
    return this.delete(first.record.id)
  }

  /** The newest first, so that a page is not pushed along by what is added while it is read. */
  newestBefore(position: number): Entry[] {
    return [...this.#entries.values()].filter((entry) => entry.position < position).toReversed()
  }
}
