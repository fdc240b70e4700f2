import { IdempotencyError } from '../../core/errors.ts'
import type { FileSync } from './file-sync.ts'
import type { ForeignCommits } from './foreign-commits.ts'

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
 * Makes commits durable, for a connection with `synchronous = NORMAL`. The rule: **what was committed after the last sync of the
 * log began, by whichever process, is told to nobody before another sync has returned.**
 *
 * Why that keeps the promise of FULL: decisions/sqlite-syncs-its-log-itself.md.
 */
export class LogSync {
  readonly #path: string
  readonly #file: FileSync
  readonly #foreign: ForeignCommits
  /** The transactions of our own that changed something. */
  #ownCommits = 0
  /** What the last of them changed. No other begins before it is on the disk. */
  #ownIds: ReadonlySet<string> = new Set()
  #synced: Point = { own: -1, foreign: -1 }
  #running: Sync | undefined
  #next: Promise<void> | undefined
  #failure: IdempotencyError | undefined

  /** What the log holds already counts as not synced: a process may have died between a commit and its sync. */
  constructor(path: string, file: FileSync, foreign: ForeignCommits) {
    this.#path = path
    this.#file = file
    this.#foreign = foreign
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

  close(): Promise<void> {
    return this.#file.close()
  }

  #until(point: Point): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (includes(this.#synced, point)) return undefined
    if (this.#running === undefined) return this.#begin()
    if (includes(this.#running.point, point)) return this.#running.done
    // It may have begun before the commit.
    this.#next ??= this.#running.done.then(() => {
      this.#next = undefined
      return this.#begin()
    })
    return this.#next
  }

  #begin(): Promise<void> | undefined {
    const point = { own: this.#ownCommits, foreign: this.#foreign.seen }
    let syncing: Promise<void> | undefined
    try {
      syncing = this.#file.sync()
    } catch (error) {
      return Promise.reject(this.#fail(error))
    }
    if (syncing === undefined) {
      this.#synced = point
      return undefined
    }
    const done = syncing.then(
      () => {
        this.#running = undefined
        this.#synced = point
      },
      (error: unknown) => {
        throw this.#fail(error)
      },
    )
    this.#running = { point, done }
    return done
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
