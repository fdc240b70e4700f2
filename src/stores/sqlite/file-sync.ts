import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'

/** How whatever any process has written to a file is brought to the disk. */
export interface Syncing {
  /** Blocks this thread. */
  blocking(descriptor: number): void
  /** On a thread of libuv's pool. */
  aside(descriptor: number, done: (error: Error | null) => void): void
  /** Up to here, to hand a sync to another thread and back costs more than it frees. */
  readonly fastMs: number
  /** For how many times as long as a slow one took syncs go aside. */
  readonly asideFactor: number
  /** A program can keep libuv's pool busy, with hashing passwords for example. No sync waits for it for longer. */
  readonly patienceMs: number
}

export const fdatasyncs: Syncing = {
  blocking: fdatasyncSync,
  aside: fdatasync,
  fastMs: 1,
  asideFactor: 100,
  patienceMs: 100,
}

/**
 * Syncs one file: on this thread as long as that takes less than a millisecond, and after a sync that took longer, on
 * another thread for a hundred times as long, so that a slow disk takes a hundredth of the event loop's time.
 */
export class FileSync {
  readonly #syncing: Syncing
  /** One for each thread: the kernel tells an error once to each descriptor, and both threads may sync at a time. */
  readonly #here: number
  readonly #there: number
  #asideUntilMs = 0
  /** Of a sync that nobody waited for any more. It may have been about what came after it, and the kernel tells it once. */
  #failure: Error | undefined
  #underWay = 0
  #onIdle: (() => void) | undefined

  constructor(path: string, syncing: Syncing) {
    this.#syncing = syncing
    this.#here = openSync(path, 'r+')
    this.#there = openSync(path, 'r+')
  }

  /** Resolves when all that was written before the call is on the disk; undefined: it is already. Throws or rejects if it failed. */
  sync(): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure
    const nowMs = performance.now()
    if (nowMs < this.#asideUntilMs) return this.#aside()
    this.#syncing.blocking(this.#here)
    const endMs = performance.now()
    const tookMs = endMs - nowMs
    if (tookMs > this.#syncing.fastMs) this.#asideUntilMs = endMs + tookMs * this.#syncing.asideFactor
    return undefined
  }

  /** Waits for syncs under way: they must not meet the file that gets the descriptor next. */
  async close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    closeSync(this.#here)
    closeSync(this.#there)
  }

  #aside(): Promise<void> {
    return new Promise((resolve, reject) => {
      const hurry = setTimeout(() => {
        try {
          this.#syncing.blocking(this.#here)
          resolve()
        } catch (error) {
          reject(error)
        }
      }, this.#syncing.patienceMs)
      this.#underWay += 1
      this.#syncing.aside(this.#there, (error) => {
        clearTimeout(hurry)
        this.#underWay -= 1
        if (this.#underWay === 0) this.#onIdle?.()
        this.#failure ??= error ?? undefined
        if (this.#failure === undefined) resolve()
        else reject(this.#failure)
      })
    })
  }
}
