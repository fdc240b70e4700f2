import type { Clock, Timer } from './clock.ts'
import { IdempotencyError } from './errors.ts'

/** The operation did not finish in time. Whether it took effect is unknown. */
export class DeadlineExceeded extends IdempotencyError {
  constructor(limitMs: number) {
    super('store-failed', `The store did not answer within ${limitMs} ms.`)
    this.name = 'DeadlineExceeded'
  }
}

/** What is done before whoever waits is told. Neither is called for an operation that ends after its time. */
export interface Ends<T> {
  /** Gives what is told instead, or throws it. */
  onValue?(value: T): T
  /** The operation failed, or its time is over. Must not throw. */
  onError?(error: unknown): void
}

/** An operation in its place among the others, which is a place in a list, so that it leaves no trace. */
interface Entry {
  readonly expiresAtMs: number
  readonly ends: Pick<Ends<unknown>, 'onError'>
  readonly reject: (error: unknown) => void
  previous: Entry | undefined
  next: Entry | undefined
  over: boolean
}

/**
 * Bounds every store operation by the same time. Since all limits are equal, operations expire in the order
 * they began: one list and one timer serve them all, where a timer each would cost more than the claim.
 */
export class Deadline {
  readonly #clock: Clock
  readonly #limitMs: number
  #oldest: Entry | undefined
  #newest: Entry | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock
    this.#limitMs = limitMs
  }

  /**
   * Settles as `operation` does, or rejects with {@link DeadlineExceeded}. What `ends` does is part of it, so that it takes
   * no promise of its own.
   */
  bound<T>(operation: Promise<T>, ends: Ends<T> = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const entry = this.#append(ends, reject)
      if (this.#timer === undefined) this.#arm(this.#limitMs)
      operation.then(
        (value) => {
          if (this.#remove(entry)) settle(value, ends, resolve, reject)
        },
        (error: unknown) => {
          if (this.#remove(entry)) fail(entry, error)
        },
      )
    })
  }

  #append(ends: Entry['ends'], reject: Entry['reject']): Entry {
    const expiresAtMs = this.#clock.monotonic() + this.#limitMs
    const entry: Entry = { expiresAtMs, ends, reject, previous: this.#newest, next: undefined, over: false }
    if (this.#newest === undefined) this.#oldest = entry
    else this.#newest.next = entry
    this.#newest = entry
    return entry
  }

  /** False where it was over already. */
  #remove(entry: Entry): boolean {
    if (entry.over) return false
    entry.over = true
    const { previous, next } = entry
    // An operation that hangs for ever keeps its entry, which must not keep all that came after.
    entry.previous = undefined
    entry.next = undefined
    if (previous === undefined) this.#oldest = next
    else previous.next = next
    if (next === undefined) this.#newest = previous
    else next.previous = previous
    return true
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonic()
    for (;;) {
      const entry = this.#oldest
      if (entry === undefined || entry.expiresAtMs > nowMs) break
      this.#remove(entry)
      fail(entry, new DeadlineExceeded(this.#limitMs))
    }
    this.#timer = undefined
    if (this.#oldest !== undefined) this.#arm(Math.max(1, this.#oldest.expiresAtMs - nowMs))
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => this.#sweep(), delayMs)
  }
}

function settle<T>(
  value: T,
  { onValue }: Ends<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): void {
  let told = value
  try {
    if (onValue !== undefined) told = onValue(value)
  } catch (error) {
    return reject(error)
  }
  resolve(told)
}

function fail({ ends, reject }: Entry, error: unknown): void {
  ends.onError?.(error)
  reject(error)
}
