import { setTimeout as sleep } from 'node:timers/promises'
import { IdempotencyError } from '../../core/errors.ts'
import type { Connection } from './connection.ts'

/** For so long a verb waits for a client that is connecting; a client that is down for longer refuses at once. */
const connectWaitMs = 1_000
const pollMs = 20
/** A server that has answered nothing for so long, with commands waiting, gets no more of them… */
const stallMs = 2_000
const maxWaitingCommands = 20_000
/**
 * …but for one now and then: a client may never settle what it sent to a node that is gone. Seldom, as node-redis
 * takes its own writes for signs of life, and would not notice a dead connection.
 */
const probeEveryMs = 2_000
/** How long a probe waits for the client to look around. */
const lookAroundMs = 100

/**
 * Keeps commands out of a client that can't send them now, or that gets no answers. In its queue they would
 * be sent much later, when nobody waits for them, and be many when the server comes back.
 */
export class Gate {
  readonly #connection: Connection
  #waiting = 0
  #progressAtMs = 0
  #downSinceMs: number | undefined
  #nextProbeMs = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /**
   * Settles as `send` does, or rejects without having called it. For a command of which each request sends one there is
   * the same in three parts, which take no promise of their own: {@link obstacle}, {@link sent} and {@link answered}.
   */
  async pass<T>(key: string, send: () => Promise<T>): Promise<T> {
    await this.obstacle(key)
    this.sent()
    try {
      return await send()
    } finally {
      this.answered()
    }
  }

  /** What a command has to wait for before it may be sent; rejects where it must not be sent at all. */
  obstacle(key: string): Promise<void> | undefined {
    if (!this.#connection.isReady(key)) return this.#untilReady(key)
    return this.#waiting > 0 && this.#isStalled() ? this.#probe(key) : undefined
  }

  /** A command is handed to the client now. Its {@link answered} has to follow. */
  sent(): void {
    this.#downSinceMs = undefined
    if (this.#waiting === 0) this.#progressAtMs = performance.now()
    this.#waiting += 1
  }

  /** The command was answered or refused. */
  answered(): void {
    this.#waiting -= 1
    this.#progressAtMs = performance.now()
  }

  async #probe(key: string): Promise<void> {
    const nowMs = performance.now()
    if (nowMs < this.#nextProbeMs) throw this.#refusal()
    this.#nextProbeMs = nowMs + probeEveryMs
    this.#connection.lookAround?.(key)
    await sleep(lookAroundMs, undefined, { ref: false })
  }

  async #untilReady(key: string): Promise<void> {
    this.#downSinceMs ??= performance.now()
    const giveUpAtMs = this.#downSinceMs + connectWaitMs
    while (!this.#connection.isReady(key)) {
      this.#connection.lookAround?.(key)
      if (performance.now() >= giveUpAtMs) {
        throw new IdempotencyError('store-failed', 'The Redis client is not connected to its server.')
      }
      await sleep(pollMs, undefined, { ref: false })
    }
  }

  #isStalled(): boolean {
    return this.#waiting >= maxWaitingCommands || performance.now() - this.#progressAtMs > stallMs
  }

  #refusal(): IdempotencyError {
    return new IdempotencyError(
      'store-failed',
      `Redis does not keep up: ${this.#waiting} commands wait for its answer. Few more are sent until it answers.`,
    )
  }
}
