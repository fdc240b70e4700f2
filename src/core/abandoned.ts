import type { Clock } from './clock.ts'
import { Beating } from './heartbeat.ts'

interface Entry {
  readonly id: string
  readonly owner: string
  readonly untilMs: number
}

/**
 * Claims whose reply was lost. One may still land, and would then lock the key for a handler that never runs:
 * so it is undone again and again until one lease has passed.
 */
export class AbandonedClaims extends Beating {
  readonly #clock: Clock
  readonly #abandon: (id: string, owner: string) => Promise<void>
  readonly #entries = new Set<Entry>()
  #periodMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, abandon: (id: string, owner: string) => Promise<void>) {
    super()
    this.#clock = clock
    this.#abandon = abandon
  }

  add(id: string, owner: string, leaseMs: number): void {
    const nowMs = this.#clock.monotonic()
    this.#entries.add({ id, owner, untilMs: nowMs + leaseMs })
    this.#periodMs = Math.min(this.#periodMs, leaseMs / 3, 1_000)
    this.nextDueMs = Math.min(this.nextDueMs, nowMs + this.#periodMs)
  }

  beat(nowMs: number): void {
    for (const entry of this.#entries) {
      // A failure was reported by whoever gave `abandon`; the next beat tries again.
      this.#abandon(entry.id, entry.owner).catch(() => {})
      if (entry.untilMs <= nowMs) this.#entries.delete(entry)
    }
    if (this.#entries.size === 0) this.#periodMs = Number.POSITIVE_INFINITY
    this.nextDueMs = nowMs + this.#periodMs
  }
}
