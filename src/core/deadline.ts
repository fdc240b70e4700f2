import type { Clock, Timer } from './clock.ts'
import { IdempotencyError } from './errors.ts'

/** The operation did not finish in time. Whether it took effect is unknown. */
export class DeadlineExceeded extends IdempotencyError {
  constructor(limitMs: number) {
    super('store-failed', `The store did not answer within ${limitMs} ms.`)
    this.name = 'DeadlineExceeded'
  }
}

interface Entry {
  readonly expiresAtMs: number
  /** Cleared when the operation ends, so that a finished entry holds nothing alive. */
  expire: ((error: DeadlineExceeded) => void) | undefined
}

const fewFinished = 1_000

/**
 * Bounds every store operation by the same time. Since all limits are equal, operations expire in the order
 * they began: one queue and one timer serve them all, where a timer each would cost more than the claim.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #limitMs: number
  #queue: Entry[] = []
  /** How many entries of the queue have ended. */
  #finished = 0
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
      if (this.#timer === undefined) this.#arm(this.#limitMs)
      operation.then(
        (value) => {
          this.#finish(entry)
          resolve(value)
        },
        (error: unknown) => {
          this.#finish(entry)
          reject(error)
        },
      )
    })
  }

  #finish(entry: Entry): void {
    if (entry.expire === undefined) return
    entry.expire = undefined
    this.#finished += 1
    // The timer sweeps once in `limitMs`; a long limit must not let the queue grow until then.
    if (this.#finished > fewFinished && this.#finished > this.#queue.length / 2) this.#dropFinished()
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic()
    for (const entry of this.#queue) {
      if (entry.expiresAtMs > nowMs) break
      entry.expire?.(new DeadlineExceeded(this.#limitMs))
      entry.expire = undefined
    }
    this.#dropFinished()
    this.#timer = undefined
    const [next] = this.#queue
    if (next !== undefined) this.#arm(Math.max(1, next.expiresAtMs - nowMs))
  }

  #dropFinished(): void {
    this.#queue = this.#queue.filter((entry) => entry.expire !== undefined)
    this.#finished = 0
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => this.#sweep(), delayMs)
  }
}
