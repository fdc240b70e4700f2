import type { Clock, Timer } from './clock.ts'

/** Background work that the heartbeat drives. */
export abstract class Beating {
  #dueMs = Number.POSITIVE_INFINITY
  #wake: (() => void) | undefined

  abstract beat(nowMs: number): void

  /** When `beat` wants to be called next, on the monotonic clock; `Infinity` for never. */
  get nextDueMs(): number {
    return this.#dueMs
  }

  protected set nextDueMs(dueMs: number) {
    const earlier = dueMs < this.#dueMs
    this.#dueMs = dueMs
    if (earlier) this.#wake?.()
  }

  onEarlierWork(wake: () => void): void {
    this.#wake = wake
  }
}

/** One timer for all background work of an engine, armed only while something is due. */
export class Heartbeat {
  readonly #clock: Clock
  readonly #parts: readonly Beating[]
  #timer: Timer | undefined
  #wakeMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, parts: readonly Beating[]) {
    this.#clock = clock
    this.#parts = parts
    for (const part of parts) part.onEarlierWork(() => this.#schedule())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#wakeMs = Number.NEGATIVE_INFINITY
  }

  #beat(): void {
    this.#wakeMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.monotonic()
    for (const part of this.#parts) {
      if (part.nextDueMs <= nowMs) part.beat(nowMs)
    }
    this.#schedule()
  }

  #schedule(): void {
    const dueMs = Math.min(...this.#parts.map((part) => part.nextDueMs))
    if (dueMs >= this.#wakeMs) return
    this.#timer?.cancel()
    this.#wakeMs = dueMs
    const delayMs = Math.max(1, Math.ceil(dueMs - this.#clock.monotonic()))
    this.#timer = this.#clock.setTimer(() => this.#beat(), delayMs)
  }
}
