import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs'
import { IdempotencyError } from '../../core/errors.ts'
import type { ForeignCommits } from './foreign-commits.ts'

/** Two ways to bring to the disk what any process has written to a file. */
export interface FileSync {
  /** On another thread. */
  aside(descriptor: number, done: (error: Error | null) => void): void
  blocking(descriptor: number): void
}

export const fdatasyncs: FileSync = { aside: fdatasync, blocking: fdatasyncSync }

/** Commits that were seen, by number. */
interface Point {
  readonly own: number
  readonly foreign: number
}

interface Sync {
  /** What it covers. */
  readonly point: Point
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
  readonly #fileSync: FileSync
  readonly #foreign: ForeignCommits
  /** The transactions of our own that changed something. */
  #ownCommits = 0
  /** What the last of them changed. No other is under way before it is on the disk. */
  #ownIds: ReadonlySet<string> = new Set()
  #synced: Point
  #running: Sync | undefined
  #next: Promise<void> | undefined
  #underWay = 0
  #onIdle: (() => void) | undefined
  #failure: IdempotencyError | undefined

  /** Blocks until the log is on the disk: a process may have died between a commit and its sync. */
  constructor(path: string, foreign: ForeignCommits, fileSync: FileSync) {
    this.#path = path
    this.#foreign = foreign
    this.#fileSync = fileSync
    // To close it frees no lock of SQLite's: those lie on the other two files.
    this.#descriptor = openSync(path, 'r+')
    this.#synced = this.#here()
    try {
      fileSync.blocking(this.#descriptor)
    } catch (error) {
      closeSync(this.#descriptor)
      throw this.#fail(error)
    }
  }

  /** Why nothing more may be told: a sync has failed. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /**
   * To be called when a transaction of our own was committed, with the records that it changed. Resolves when all that it has
   * read and written is on the disk; undefined: it is already.
   */
  committed(ids: ReadonlySet<string>): Promise<void> | undefined {
    if (ids.size > 0) {
      this.#ownCommits += 1
      this.#ownIds = ids
    }
    return this.#until({ own: this.#ownCommits, foreign: this.#foreign.look() })
  }

  /**
   * To be called after reading and after a look for foreign commits, in the same turn of the event loop; with the record, if it
   * was only one. Resolves when all that can have been read is on the disk; undefined: it is already.
   */
  seen(id?: string): Promise<void> | undefined {
    const isOwn = id === undefined || this.#ownIds.has(id)
    return this.#until({ own: isOwn ? this.#ownCommits : 0, foreign: this.#foreign.seen })
  }

  async close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve
      })
    }
    closeSync(this.#descriptor)
  }

  #until(point: Point): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (includes(this.#synced, point)) return undefined
    if (this.#running === undefined) return this.#begin()
    if (includes(this.#running.point, point)) return this.#running.done
    this.#next ??= this.#running.done.then(() => {
      this.#next = undefined
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<void> {
    const point = this.#here()
    const done = this.#sync().then(
      () => {
        this.#running = undefined
        this.#synced = point
      },
      (error: unknown) => {
        this.#running = undefined
        throw this.#fail(error)
      },
    )
    this.#running = { point, done }
    return done
  }

  /** All that was seen so far. */
  #here(): Point {
    return { own: this.#ownCommits, foreign: this.#foreign.seen }
  }

  #sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      const hurry = setTimeout(() => {
        try {
          this.#fileSync.blocking(this.#descriptor)
          resolve()
        } catch (error) {
          reject(error)
        }
      }, patienceMs)
      this.#underWay += 1
      this.#fileSync.aside(this.#descriptor, (error) => {
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

function includes(point: Point, other: Point): boolean {
  return point.own >= other.own && point.foreign >= other.foreign
}
