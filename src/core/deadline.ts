import type { Clock, Timer } from './clock.ts'

/** The operation did not finish in time. Whether it took effect is unknown. */
export class DeadlineExceeded extends Error {
  constructor(limitMs: number) {
    super(`The store did not answer within ${limitMs} ms.`)
    this.name = 'DeadlineExceeded'
  }
}

interface Entry {
  readonly expiresAtMs: number
  /** Cleared when the operation ends, so that a finished entry holds nothing alive. */
  expire: ((error: DeadlineExceeded) => void) | undefined
}

/**
 * Bounds every store operation by the same time. Since all limits are equal, operations expire in the order
 * they began: one queue and one timer serve them all, where a timer each would cost more than the claim.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #limitMs: number
  #queue: Entry[] = []
  #head = 0
  #timer: Timer | undefined

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  /** Settles as `operation` does, or rejects with {@link DeadlineExceeded}. */
  bound<T>(operation: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const entry: Entry = { expiresAtMs: this.#clock.monotonic() + this.#limitMs, expire: reject }
      this.#queue.push(entry)
      this.#timer ??= this.#clock.setTimer(() => this.#sweep(), this.#limitMs)
      operation.then(
        (value) => {
          entry.expire = undefined
          resolve(value)
        },
        (error: unknown) => {
          entry.expire = undefined
          reject(error instanceof Error ? error : new Error(String(error)))
        },
      )
    })
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic()
    this.#timer = undefined
    for (; this.#head < this.#queue.length; this.#head += 1) {
      const entry = this.#queue[this.#head]
      if (entry?.expire === undefined) continue
      if (entry.expiresAtMs > nowMs) break
      entry.expire(new DeadlineExceeded(this.#limitMs))
    }
    this.#queue = this.#queue.slice(this.#head)
    this.#head = 0
    const next = this.#queue[0]
    if (next !== undefined) {
      this.#timer = this.#clock.setTimer(() => this.#sweep(), Math.max(1, next.expiresAtMs - nowMs))
    }
  }
}
