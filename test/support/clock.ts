import type { Clock, Timer } from '../../src/core/clock.ts'

interface Armed {
  readonly clock: VirtualClock
  readonly dueMs: number
  readonly callback: () => void
}

/** Time that moves only when a test moves it. Every simulated process and store has a clock of its own in it. */
export class VirtualTime {
  #nowMs = 1_000
  readonly #armed = new Set<Armed>()

  get nowMs(): number {
    return this.#nowMs
  }

  clock(): VirtualClock {
    return new VirtualClock(this, this.#armed)
  }

  /** Lets `ms` pass: fires what is due on the way, in order, and lets every reaction run its course. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await reactions()
    for (let fired = 0; ; fired += 1) {
      if (fired > 100_000) throw new Error('Timers are armed faster than time passes.')
      const next = this.#nextDue(untilMs)
      if (next === undefined) break
      this.#armed.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
      await reactions()
    }
    this.#nowMs = untilMs
  }

  #nextDue(untilMs: number): Armed | undefined {
    let next: Armed | undefined
    for (const armed of this.#armed) {
      if (armed.clock.stalled || armed.dueMs > untilMs) continue
      if (next === undefined || armed.dueMs < next.dueMs) next = armed
    }
    return next
  }
}

/** The clock of one process. Its wall clock may jump, and the process may stall: then none of its timers fires. */
export class VirtualClock implements Clock {
  readonly #time: VirtualTime
  readonly #armed: Set<Armed>
  #wallOffsetMs = Date.UTC(2030, 0, 1)
  stalled = false
  /** How many timers were ever set: a heartbeat that spins shows here. */
  set = 0

  constructor(time: VirtualTime, armed: Set<Armed>) {
    this.#time = time
    this.#armed = armed
  }

  now(): number {
    return this.#time.nowMs + this.#wallOffsetMs
  }

  monotonic(): number {
    return this.#time.nowMs
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    // A delay that setTimeout() would take for 1 ms, or for none, is a defect of the caller.
    if (!(delayMs >= 0)) throw new RangeError(`A timer was set for ${delayMs} ms.`)
    this.set += 1
    const armed: Armed = { clock: this, dueMs: this.#time.nowMs + delayMs, callback }
    this.#armed.add(armed)
    return { cancel: () => void this.#armed.delete(armed) }
  }

  /** The wall clock is set by this much; the monotonic clock knows nothing of it. */
  jumpWall(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** How many timers of this process are armed. */
  get timers(): number {
    return [...this.#armed].filter((armed) => armed.clock === this).length
  }
}

/** Lets all promises that are settled, and those that follow from them, run their reactions. */
export function reactions(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
