import type { StepRecord } from '../core/record.ts'
import type { HeldLease } from '../core/store.ts'
import type { Head } from './head.ts'

/** What a journal in a database server needs to be said in that server's own SQL. */
export interface Dialect {
  /** A word for events and messages: `postgres`. */
  readonly name: string
  /** Makes the tables, or checks that they are there. Called once before anything else. */
  prepare(): Promise<void>
  /** Makes the head where there is none. True: it did, and so there is no step. One statement, a transaction of its own. */
  begin(lease: HeldLease, keepMs: number): Promise<boolean>
  /** Lets the lease in where nothing speaks against it. One statement, in a transaction of its own. */
  enter(lease: HeldLease, keepMs: number): Promise<void>
  /** What a statement sees that begins now. */
  read(id: string): Promise<Found | undefined>
  /** Writes a step in a transaction of its own. False: the lease is stale. */
  putStep(lease: HeldLease, step: StepRecord): Promise<boolean>
  /** The fence: writes a step as the last statement of a transaction. False: the lease is stale. */
  addStep(transaction: Connection, lease: HeldLease, step: StepRecord): Promise<boolean>

  /** Runs `work` in a transaction, with the driver's own. Commits when it resolves, rolls back when it rejects. */
  transaction<T>(
    settings: TransactionSettings,
    work: (transaction: Connection, native: unknown) => Promise<T>,
  ): Promise<T>
  /** Locks the head until the end of the transaction, against attempts that come later or against all. */
  lockHead(transaction: Connection, id: string, strength: 'share' | 'alone'): Promise<Head | undefined>
  /** The token that a step was written under. */
  tokenOf(transaction: Connection, id: string, name: string): Promise<number | undefined>
  deleteStep(transaction: Connection, id: string, name: string): Promise<void>
  /** Deletes the steps, and makes the head the lease's. */
  renewHead(transaction: Connection, lease: HeldLease, keepMs: number): Promise<void>
  /** Deletes heads that are over, with their steps; skips those that are locked. */
  deleteOver(transaction: Connection, limit: number): Promise<number>

  /** A transaction of the application's, in any form that its library gives it. Undefined: it is none. */
  connectionOf(within: unknown): Connection | undefined
  /** Marks a point to return to. False: this is not in a transaction. */
  mark(transaction: Connection, savepoint: string): Promise<boolean>
  /** Undoes what came after the mark. */
  returnTo(transaction: Connection, savepoint: string): Promise<void>
}

export interface Found {
  readonly head: Head
  /** In the order in which they began. */
  readonly steps: readonly StepRecord[]
}

export interface TransactionSettings {
  /**
   * End the transaction from the server's side where its process has been silent for so long: a process that stands
   * still must not hold a key. Undefined: never, for work that holds none.
   */
  readonly idleMs: number | undefined
  /** For the journal's own work, which waits for a lock for a short while only. */
  readonly isOwn: boolean
}

/** Below that, a busy machine would end the transactions of a process that lives. */
const leastIdleMs = 1_000

/** For how long a transaction under this lease may be silent: who takes over must not wait for it longer. */
export function idleMsOf(lease: HeldLease): number {
  return Math.max(Math.ceil(lease.leaseMs), leastIdleMs)
}

/** A connection or a pool, whichever library it is from. Values are text, or null. */
export interface Connection {
  query(text: string, values?: readonly string[]): Promise<Reply>
}

export interface Reply {
  /** The values of each row, in the order of its columns. */
  readonly rows: readonly (readonly unknown[])[]
  readonly affectedRows?: number
  /** MySQL's flags of the connection's state, where the library gives them. */
  readonly serverStatus?: number
}
