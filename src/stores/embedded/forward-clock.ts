import type { Clock } from '../../core/clock.ts'

/** A token may lead the clock by this much before the clock stops following it. */
const maxTokenLeadMs = 60_000

/**
 * The clock of an embedded store: it starts at the largest time it has seen and never goes back, so that a
 * step of the wall clock can neither end a lease early nor give out a token twice.
 *
 * While the wall clock is behind, time flows at the rate of the monotonic clock. Standing still instead
 * would keep every lease alive until the wall clock had caught up: for decades, after one wrong date.
 */
export class ForwardClock {
  readonly #clock: Clock
  #lastMs = 0
  #lastMonotonicMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMonotonicMs = clock.monotonic()
  }

  /** `storedMs`: the largest time that any process has written into the store. */
  now(storedMs = 0): number {
    const monotonicMs = this.#clock.monotonic()
    const flowedMs = this.#lastMs + Math.max(0, monotonicMs - this.#lastMonotonicMs)
    const wallMs = this.#clock.now()
    this.#lastMs = Math.max(wallMs >= this.#lastMs ? wallMs : flowedMs, storedMs)
    this.#lastMonotonicMs = monotonicMs
    return Math.floor(this.#lastMs)
  }

  /**
   * Called when a record is deleted: its token is lost with it, and the next one for the same key must be
   * higher all the same, or the last owner could write into the record of the next.
   */
  passToken(token: number): void {
    const afterTokenMs = Math.floor(token / 1000) + 1
    const leadMs = afterTokenMs - this.#lastMs
    // Beyond that the token is another store's or damaged, and would throw the clock into the far future.
    if (leadMs > 0 && leadMs <= maxTokenLeadMs) this.#lastMs = afterTokenMs
  }
}
