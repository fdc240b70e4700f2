import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'

/** Bring to the disk whatever any process has written to a file. */
export interface SyncCalls {
  /** Blocks this thread. */
  blocking(descriptor: number): void
  /** On a thread of libuv's pool. */
  aside(descriptor: number, done: (error: Error | null) => void): void
}

export const fdatasyncs: SyncCalls = { blocking: fdatasyncSync, aside: fdatasync }

/** Below that, to hand a sync to another thread and back costs more than it frees. */
const fastMs = 0.5
const asideForMs = 1_000
/** A program can keep libuv's pool busy, with hashing passwords for example. No sync waits for it for longer. */
const patienceMs = 100

/**
 * Syncs one file: on this thread as long as that takes less than half a millisecond, and after a sync that took longer, on
 * another thread for a second, so that a slow disk does not slow the event loop.
 */
export class FileSync {
  readonly #calls: SyncCalls
  /** One for each thread: the kernel tells an error once to each descriptor, and both threads may sync at a time. */
  readonly #here: number
  readonly #there: number
  #asideUntilMs = 0
  #underWay = 0
  #onIdle: (() => void) | undefined

  constructor(path: string, calls: SyncCalls) {
    this.#calls = calls
    this.#here = openSync(path, 'r+')
    this.#there = openSync(path, 'r+')
  }

  /** Resolves when all that was written before the call is on the disk; undefined: it is already. Throws or rejects if it failed. */
  sync(): Promise<void> | undefined {
    const nowMs = performance.now()
    if (nowMs < this.#asideUntilMs) return this.#aside()
    this.#calls.blocking(this.#here)
    const endMs = performance.now()
    if (endMs - nowMs > fastMs) this.#asideUntilMs = endMs + asideForMs
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
          this.#calls.blocking(this.#here)
          resolve()
        } catch (error) {
          reject(error)
        }
      }, patienceMs)
      this.#underWay += 1
      this.#calls.aside(this.#there, (error) => {
        clearTimeout(hurry)
        this.#underWay -= 1
        if (this.#underWay === 0) this.#onIdle?.()
        if (error === null) resolve()
        else reject(error)
      })
    })
  }
}
