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

  /** Ends with `last`, the last part of some work: also where that has to wait. */
  endWith<T>(last: () => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T> | undefined
    try {
      result = last()
    } finally {
      if (!(result instanceof Promise)) this.end()
    }
    return result instanceof Promise ? result.finally(() => this.end()) : result
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
