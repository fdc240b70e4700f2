import { closeSync, fdatasyncSync, openSync } from 'node:fs'
import { IdempotencyError } from '../../core/errors.ts'

/** Writes to the disk what any process has written to a file, and calls back when it is there. */
export type SyncFile = (descriptor: number, done: (error: Error | null) => void) => void

interface Sync {
  /** How many of the commits that were seen it covers. */
  readonly covers: number
  readonly done: Promise<void>
}

/**
 * So long may a sync wait for a thread of libuv's pool, which a program can keep busy with hashing passwords, before
 * this thread does it.
 */
const patienceMs = 100

/**
 * Makes the write-ahead log durable, on a thread of libuv's pool, where SQLite would block the event loop. The rule: **what was
 * committed after the last sync began, by whichever process, is told to nobody before another sync has returned.**
 *
 * Only for a connection with `synchronous = NORMAL`, which syncs all that a checkpoint needs (decisions/sqlite-syncs-its-log-aside.md).
 */
export class LogSync {
  readonly #path: string
  readonly #descriptor: number
  readonly #syncFile: SyncFile
  readonly #dataVersion: () => unknown
  #seenVersion: unknown
  /** Commits seen so far: our own, and others' as often as we looked. */
  #seen = 0
  #seenOfOthers = 0
  /** The last commit of our own. */
  #own: { readonly at: number; readonly ids: ReadonlySet<string> } = { at: 0, ids: new Set() }
  #synced = 0
  #running: Sync | undefined
  #next: Promise<void> | undefined
  #underWay = 0
  #onIdle: (() => void) | undefined
  #failure: IdempotencyError | undefined

  /**
   * Blocks until the log is on the disk: a process may have died between a commit and its sync.
   *
   * @param dataVersion A value that differs after another connection has committed.
   */
  constructor(path: string, dataVersion: () => unknown, syncFile: SyncFile) {
    this.#path = path
    this.#dataVersion = dataVersion
    this.#syncFile = syncFile
    this.#seenVersion = dataVersion()
    // To close it frees no lock of SQLite's: those lie on the other two files.
    this.#descriptor = openSync(path, 'r+')
    try {
      fdatasyncSync(this.#descriptor)
    } catch (error) {
      closeSync(this.#descriptor)
      throw error
    }
  }

  /**
   * To be called when a transaction of our own was committed, with the records that it changed. Resolves when all that it has
   * read and written is on the disk; undefined: it is already.
   */
  committed(ids: ReadonlySet<string>): Promise<void> | undefined {
    this.#lookForOthers()
    if (ids.size > 0) {
      this.#seen += 1
      this.#own = { at: this.#seen, ids }
    }
    return this.#until(Math.max(this.#own.at, this.#seenOfOthers))
  }

  /**
   * To be called in the turn of the event loop in which something was read, after that, with the record if it was only one.
   * Resolves when all that can have been read is on the disk; undefined: it is already.
   */
  seen(id?: string): Promise<void> | undefined {
    this.#lookForOthers()
    const isOwn = id === undefined || this.#own.ids.has(id)
    return this.#until(isOwn ? Math.max(this.#own.at, this.#seenOfOthers) : this.#seenOfOthers)
  }

  async close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    closeSync(this.#descriptor)
  }

  #lookForOthers(): void {
    const version = this.#currentVersion()
    if (version !== undefined && version === this.#seenVersion) return
    this.#seenVersion = version
    this.#seen += 1
    this.#seenOfOthers = this.#seen
  }

  /** Undefined: locked for a moment, so that anything may have happened. */
  #currentVersion(): unknown {
    try {
      return this.#dataVersion()
    } catch {
      return undefined
    }
  }

  #until(commit: number): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#synced >= commit) return undefined
    if (this.#running === undefined) return this.#begin()
    if (this.#running.covers >= commit) return this.#running.done
    this.#next ??= this.#running.done.then(() => {
      this.#next = undefined
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<void> {
    const covers = this.#seen
    const done = this.#sync().then(
      () => {
        this.#running = undefined
        this.#synced = covers
      },
      (error: unknown) => {
        this.#running = undefined
        throw this.#fail(error)
      },
    )
    this.#running = { covers, done }
    return done
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      const hurry = setTimeout(() => {
        try {
          fdatasyncSync(this.#descriptor)
          resolve()
        } catch (error) {
          reject(error)
        }
      }, patienceMs)
      this.#underWay += 1
      this.#syncFile(this.#descriptor, (error) => {
        clearTimeout(hurry)
        this.#underWay -= 1
        if (this.#underWay === 0) this.#onIdle?.()
        if (error === null) return resolve()
        // Counts where this thread was faster, too: the kernel tells each error once.
        reject(this.#fail(error))
      })
    })
  }

  /**
   * After a sync that failed, the kernel takes what it could not write for written, and the next sync would succeed without it. So
   * none is tried.
   */
  #fail(error: unknown): Error {
    this.#failure ??= new IdempotencyError(
      'store-failed',
      `The disk did not take what was written to ${JSON.stringify(this.#path)}. Some of the newest records may be lost, and nobody ` +
        'can know which. Check the disk, and then restart the program.',
      { cause: error },
    )
    return this.#failure
  }
}
