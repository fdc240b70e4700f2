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
  /** The wall clock was set back, and has not caught up yet. */
  #behind = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lastMonotonicMs = clock.monotonic()
  }

  /** `storedMs`: the largest time that any process has written into the store. */
  now(storedMs = 0): number {
    const monotonicMs = this.#clock.monotonic()
    const passedMs = Math.max(0, monotonicMs - this.#lastMonotonicMs)
    const flowedMs = this.#lastMs + passedMs
    const wallMs = this.#clock.now()
    // Compared with the time that has flowed, not with the last call: a step back by less than the time since
    // then would pass unseen, and every lease would be longer by it.
    this.#behind = wallMs < flowedMs - (this.#behind ? 0 : toleranceMs(passedMs))
    this.#lastMs = Math.max(this.#behind ? flowedMs : Math.max(wallMs, this.#lastMs), storedMs)
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

/** By so much a wall clock that is being slowed down to the right time falls behind: it must be followed. */
function toleranceMs(passedMs: number): number {
  // Twice what time daemons slow a clock down by (500 parts in a million).
  return Math.max(20, passedMs * 0.001)
}
