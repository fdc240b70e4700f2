import type { Clock } from './clock.ts'
import { Beating } from './heartbeat.ts'
import type { HeldLease, Outcome, WriteResult } from './store.ts'
import { entombed } from './tombstone.ts'

/** The write that ends a claim. */
export type FinalWrite =
  | { readonly kind: 'complete'; readonly outcome: Outcome }
  | { readonly kind: 'release'; readonly clean: boolean }

interface Entry {
  readonly held: HeldLease
  readonly write: FinalWrite
  readonly bytes: number
  readonly settled: (result: WriteResult | 'lost') => void
  attempts: number
  retryAtMs: number
  sending: boolean
}

/** More than this many body bytes waiting for a store that is down become tombstones. */
const maxWaitingBytes = 64 * 1024 * 1024
const firstRetryMs = 50
const longestRetryMs = 2_000

/**
 * Outcomes that the store has not acknowledged. While the process lives it goes on trying: the effect did
 * happen, and only the record keeps the next retry from making it again.
 */
export class UnacknowledgedWrites extends Beating {
  readonly #clock: Clock
  readonly #perform: (held: HeldLease, write: FinalWrite) => Promise<WriteResult>
  readonly #entries = new Set<Entry>()
  #waitingBytes = 0
  #gaveUp = false

  constructor(clock: Clock, perform: (held: HeldLease, write: FinalWrite) => Promise<WriteResult>) {
    super()
    this.#clock = clock
    this.#perform = perform
  }

  /** Resolves when the store has answered, or with `lost` when {@link giveUp} was called. */
  add(held: HeldLease, write: FinalWrite): Promise<WriteResult | 'lost'> {
    if (this.#gaveUp) return Promise.resolve('lost')
    const bounded = this.#waitingBytes + bodyBytes(write) > maxWaitingBytes ? withoutBody(write) : write
    return new Promise((settled) => {
      const bytes = bodyBytes(bounded)
      const retryAtMs = this.#clock.monotonic() + firstRetryMs
      this.#entries.add({ held, write: bounded, bytes, settled, attempts: 0, retryAtMs, sending: false })
      this.#waitingBytes += bytes
      this.nextDueMs = Math.min(this.nextDueMs, retryAtMs)
    })
  }

  beat(nowMs: number): void {
    for (const entry of this.#entries) {
      if (!entry.sending && entry.retryAtMs <= nowMs) void this.#send(entry)
    }
    this.#reschedule()
  }

  giveUp(): void {
    this.#gaveUp = true
    for (const entry of this.#entries) this.#settle(entry, 'lost')
  }

  async #send(entry: Entry): Promise<void> {
    entry.sending = true
    try {
      this.#settle(entry, await this.#perform(entry.held, entry.write))
    } catch {
      entry.attempts += 1
      const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** entry.attempts)
      entry.retryAtMs = this.#clock.monotonic() + delayMs
    } finally {
      entry.sending = false
      this.#reschedule()
    }
  }

  #settle(entry: Entry, result: WriteResult | 'lost'): void {
    if (!this.#entries.delete(entry)) return
    this.#waitingBytes -= entry.bytes
    entry.settled(result)
  }

  #reschedule(): void {
    let earliestMs = Number.POSITIVE_INFINITY
    for (const entry of this.#entries) {
      if (!entry.sending) earliestMs = Math.min(earliestMs, entry.retryAtMs)
    }
    this.nextDueMs = earliestMs
  }
}

function bodyBytes(write: FinalWrite): number {
  if (write.kind === 'release' || write.outcome.kind === 'unknown') return 0
  const { response } = write.outcome
  return response.kind === 'kept' ? response.body.byteLength : 0
}

function withoutBody(write: FinalWrite): FinalWrite {
  if (write.kind === 'release' || write.outcome.kind === 'unknown') return write
  return {
    ...write,
    outcome: { ...write.outcome, response: entombed(write.outcome.response, 'store-refused') },
  }
}
