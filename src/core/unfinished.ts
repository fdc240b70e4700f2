import type { Clock } from './clock.ts'

/** Counts the work that a shutdown must wait for: claims on their way, and leases without a recorded end. */
export class UnfinishedWork {
  readonly #clock: Clock
  #count = 0
  #onNone: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  begin(): void {
    this.#count += 1
  }

  end(): void {
    this.#count -= 1
    if (this.#count === 0) this.#onNone?.()
  }

  /** Resolves when nothing is unfinished, or when `graceMs` have passed. */
  ended(graceMs: number): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, graceMs)
      this.#onNone = () => {
        timer.cancel()
        resolve()
      }
    })
  }
}
