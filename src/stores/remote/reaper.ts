import { systemClock, type Timer } from '../../core/clock.ts'

export interface Reaping {
  /** Deletes some records that expired; resolves to their number. */
  reap(count: number): Promise<number>
  /** Called before: rejects where this release must not touch the tables any more. */
  check(): Promise<void>
}

const atOnce = 200
const pauseMs = 50

/** Deletes expired records a few at a time, so that nobody waits for more than a few. */
export class Reaper {
  readonly #everyMs: number
  readonly #reaping: Reaping
  #timer: Timer | undefined
  #isStarted = false
  #isStopped = false

  constructor(everyMs: number, reaping: Reaping) {
    this.#everyMs = everyMs
    this.#reaping = reaping
  }

  start(): void {
    if (this.#isStarted || this.#isStopped) return
    this.#isStarted = true
    // Instances that start together must not come together each time.
    this.#arm(this.#everyMs * (0.5 + Math.random()))
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #arm(delayMs: number): void {
    if (!this.#isStopped) this.#timer = systemClock.setTimer(() => void this.#turn(), delayMs)
  }

  async #turn(): Promise<void> {
    try {
      await this.#reaping.check()
      const reaped = await this.#reaping.reap(atOnce)
      this.#arm(reaped < atOnce ? this.#everyMs : pauseMs)
    } catch {
      // Expired records are harmless where they lie. What is wrong with the database, claims will report.
      this.#arm(this.#everyMs)
    }
  }
}
