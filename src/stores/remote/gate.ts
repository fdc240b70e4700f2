import { IdempotencyError } from '../../core/errors.ts'

/** A database that has answered nothing for so long, with statements waiting, gets no more of them… */
const stallMs = 2_500
const maxWaiting = 5_000
/** …but for one now and then, to find out whether it is back. */
const probeEveryMs = 500

/**
 * Keeps statements out of a pool that gets no answers. In its queue they would be sent much later, when nobody waits for
 * them, and be many when the database comes back.
 */
export class Gate {
  readonly #database: string
  #waiting = 0
  #progressAtMs = 0
  #nextProbeMs = 0

  constructor(database: string) {
    this.#database = database
  }

  /** Rejects without having called `send`, or settles as it does. */
  pass<T>(send: () => Promise<T>): Promise<T> {
    if (this.#waiting > 0 && this.#isStalled()) {
      const nowMs = performance.now()
      if (nowMs < this.#nextProbeMs) return Promise.reject(this.#refusal())
      this.#nextProbeMs = nowMs + probeEveryMs
    }
    if (this.#waiting === 0) this.#progressAtMs = performance.now()
    this.#waiting += 1
    return send().then(
      (result) => {
        this.#passed()
        return result
      },
      (error: unknown) => {
        this.#passed()
        throw error
      },
    )
  }

  #passed(): void {
    this.#waiting -= 1
    this.#progressAtMs = performance.now()
  }

  #isStalled(): boolean {
    return this.#waiting >= maxWaiting || performance.now() - this.#progressAtMs > stallMs
  }

  #refusal(): IdempotencyError {
    return new IdempotencyError(
      'store-failed',
      `${this.#database} does not keep up, or the pool has no connection to spare: ${this.#waiting} statements wait for an ` +
        'answer. Few more are sent until one comes.',
    )
  }
}
