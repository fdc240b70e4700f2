import type { StepRecord, StepResult } from './record.ts'
import type { HeldLease, StepChange, WriteResult } from './store.ts'

/**
 * Remembers the steps of handlers in the application's own database, whichever store holds the records. It
 * survives a record store that forgets, and can make a step one transaction with its effect. Without one, steps
 * are kept in the record itself.
 */
export interface Journal {
  /** A word for events and messages: `postgres`. */
  readonly name: string
  /**
   * Called before any handler runs: from then on no earlier token can add anything. Resolves to what earlier
   * attempts left. `keepMs`: how long to remember the steps.
   */
  open(lease: HeldLease, keepMs: number): Promise<JournalOpening>
  /** As {@link Store.recordStep}: refused when the journal was opened under a later token. */
  recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult>
  /**
   * Runs `request.work` in a transaction whose last statement remembers the step, if the lease still holds.
   *
   * @throws IdempotencyError `commit-unknown` where it can't learn whether the transaction was committed.
   */
  transact(request: TransactionRequest): Promise<WriteResult>
  /** Closes what the journal opened itself, and nothing that it was given. May be called twice. */
  close(): Promise<void>
}

export type JournalOpening =
  | { readonly kind: 'opened'; readonly steps: readonly StepRecord[] }
  /** Somebody opened it under a later token. */
  | { readonly kind: 'stale' }
  /** The steps of this id belong to another request. */
  | { readonly kind: 'mismatch' }
  /** The journal's fingerprint and the lease's share no kind: nobody can tell whether they are one request. */
  | { readonly kind: 'incomparable' }

export interface TransactionRequest {
  /** Absent for a request without a key: then it is only a transaction. */
  readonly step?: { readonly lease: HeldLease; readonly name: string; readonly input?: string }
  /**
   * The application's part, on the driver's own transaction. A throw rolls back. What it returns is written
   * behind it. Returns no promise where the application's function did not: a driver that is not asynchronous
   * can tell.
   */
  work(transaction: unknown): StepResult | Promise<StepResult>
  /** An open transaction of the application's, that commits or rolls back there. */
  readonly within?: unknown
}
