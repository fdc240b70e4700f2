import type { Clock } from './clock.ts'
import { Beating } from './heartbeat.ts'

interface Entry {
  readonly id: string
  readonly owner: string
  /** One lease after the claim was given up: what landed until then is undone after that once more. */
  readonly untilMs: number
  dueMs: number
}

/** A store that comes back must not be met by the undoing of everything that it missed, all at once. */
const maxSending = 100
/** Beyond that the oldest are dropped, whose leases are over soonest. */
const maxKept = 100_000
const longestPeriodMs = 1_000

/**
 * Claims whose reply was lost. One may still land, and would then lock the key for a handler that never runs:
 * so it is undone again and again until the store has acknowledged that, one lease later.
 */
export class AbandonedClaims extends Beating {
  readonly #clock: Clock
  readonly #abandon: (id: string, owner: string) => Promise<void>
  /** Never sent: these go first. */
  readonly #fresh = new Set<Entry>()
  /** Sent before, and due again in this order. */
  readonly #repeated = new Set<Entry>()
  readonly #sending = new Set<Promise<void>>()
  #periodMs = longestPeriodMs
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #closing = false

  constructor(clock: Clock, abandon: (id: string, owner: string) => Promise<void>) {
    super()
    this.#clock = clock
    this.#abandon = abandon
  }

  /** Undoes the claim, at once if the store is not known to be down. */
  add(id: string, owner: string, leaseMs: number): void {
    const nowMs = this.#clock.monotonic()
    this.#periodMs = Math.min(this.#periodMs, leaseMs / 3)
    this.#fresh.add({ id, owner, untilMs: nowMs + leaseMs, dueMs: nowMs })
    this.beat(nowMs)
  }

  beat(nowMs: number): void {
    if (this.#closing) return
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const mayGo = next.dueMs <= nowMs && this.#pausedUntilMs <= nowMs && this.#sending.size < maxSending
      if (!mayGo) break
      this.#remove(next)
      const sending = this.#send(next, nowMs).finally(() => {
        this.#sending.delete(sending)
        this.beat(this.#clock.monotonic())
      })
      this.#sending.add(sending)
    }
    this.#bound()
    this.#reschedule()
  }

  /** Undoes every claim once more before the store is closed. Ends when all are, or when the store fails. */
  async close(): Promise<void> {
    this.#closing = true
    this.nextDueMs = Number.POSITIVE_INFINITY
    await Promise.all(this.#sending)
    while (this.#next() !== undefined) {
      await Promise.all(this.#takeBatch().map(({ id, owner }) => this.#abandon(id, owner)))
    }
  }

  async #send(entry: Entry, sentMs: number): Promise<void> {
    try {
      await this.#abandon(entry.id, entry.owner)
      if (sentMs >= entry.untilMs || this.#closing) return
    } catch {
      // Reported by whoever gave `abandon`. All others wait with this one for a store that is down.
      this.#pausedUntilMs = this.#clock.monotonic() + this.#periodMs
    }
    entry.dueMs = this.#clock.monotonic() + this.#periodMs
    this.#repeated.add(entry)
  }

  #next(): Entry | undefined {
    const [fresh] = this.#fresh
    const [repeated] = this.#repeated
    return fresh ?? repeated
  }

  #takeBatch(): Entry[] {
    const batch: Entry[] = []
    for (let next = this.#next(); next !== undefined && batch.length < maxSending; next = this.#next()) {
      this.#remove(next)
      batch.push(next)
    }
    return batch
  }

  #remove(entry: Entry): void {
    this.#fresh.delete(entry)
    this.#repeated.delete(entry)
  }

  #bound(): void {
    const [oldest] = this.#repeated.size > 0 ? this.#repeated : this.#fresh
    if (this.#fresh.size + this.#repeated.size > maxKept && oldest !== undefined) this.#remove(oldest)
  }

  #reschedule(): void {
    const next = this.#next()
    if (next === undefined && this.#sending.size === 0) this.#periodMs = longestPeriodMs
    const blocked = next === undefined || this.#sending.size >= maxSending
    this.nextDueMs = blocked ? Number.POSITIVE_INFINITY : Math.max(next.dueMs, this.#pausedUntilMs)
  }
}
