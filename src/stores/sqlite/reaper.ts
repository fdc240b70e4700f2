import type { Clock, Timer } from '../../core/clock.ts'

export interface Reaping {
  hasExpired(): boolean
  /** Deletes a few records that expired. */
  reap(): Promise<void>
}

const firstAfterMs = 1_000
const pauseMs = 20

/** Deletes expired records a few at a time, so that no claim waits for more than a few. */
export class Reaper {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #reaping: Reaping
  #timer: Timer | undefined
  #stopped = false

  constructor(clock: Clock, everyMs: number, reaping: Reaping) {
    this.#clock = clock
    this.#everyMs = everyMs
    this.#reaping = reaping
    this.#arm(Math.min(everyMs, firstAfterMs))
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #arm(delayMs: number): void {
    if (this.#stopped) return
    this.#timer = this.#clock.setTimer(() => void this.#turn(), delayMs)
  }

  async #turn(): Promise<void> {
    try {
      // A look outside any transaction: an idle store never asks for the write lock.
      if (!this.#reaping.hasExpired()) return this.#arm(this.#everyMs)
      await this.#reaping.reap()
      this.#arm(pauseMs)
    } catch {
      // Expired records are harmless where they lie. What is wrong with the database, claims will report.
      this.#arm(this.#everyMs)
    }
  }
}
