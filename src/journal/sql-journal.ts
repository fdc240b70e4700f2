import { IdempotencyError } from '../core/errors.ts'
import type { Journal, JournalOpening, TransactionRequest } from '../core/journal.ts'
import type { HeldLease, StepChange, WriteResult } from '../core/store.ts'
import { Cleaner } from './cleaner.ts'
import { CommitQuestion, type Timers } from './commit-question.ts'
import { type Dialect, idleMsOf } from './dialect.ts'
import { finishedStep } from './encoding.ts'
import { judge } from './head.ts'
import { joinTransaction } from './joining.ts'

/** How often an opening looks again where the head was changed between two of its statements. */
const openingTries = 5

export interface SqlJournalSettings {
  readonly lockTimeoutMs: number
  /** Infinity: never. */
  readonly cleanEveryMs: number
  /** For tests that have a time of their own. */
  readonly timers?: Timers
}

/** The rules of a journal in a database server; what is said to the server is the dialect's. */
export class SqlJournal implements Journal {
  readonly name: string
  readonly #dialect: Dialect
  readonly #cleaner: Cleaner
  readonly #question: CommitQuestion
  #ready: Promise<void> | undefined
  #isClosed = false

  constructor(dialect: Dialect, { lockTimeoutMs, cleanEveryMs, timers }: SqlJournalSettings) {
    this.name = dialect.name
    this.#dialect = dialect
    // The first question may come while the server still waits for the end of the connection that was lost.
    this.#question = new CommitQuestion(dialect, 2 * lockTimeoutMs, timers)
    this.#cleaner = new Cleaner({
      everyMs: cleanEveryMs,
      deleteExpired: (limit) =>
        dialect.transaction({ isOwn: true, idleMs: cleaningIdleMs }, (transaction) =>
          dialect.deleteOver(transaction, limit),
        ),
    })
  }

  async open(lease: HeldLease, keepMs: number): Promise<JournalOpening> {
    await this.#prepared()
    // Most keys are new, to store and journal both: one round trip. Where only the store forgot, the rest follows.
    const isFirst = lease.attempt === 1 && !lease.takeover
    if (isFirst && (await this.#dialect.begin(lease, keepMs))) return { kind: 'opened', steps: [] }
    for (let tries = 0; tries < openingTries; tries += 1) {
      await this.#dialect.enter(lease, keepMs)
      // Another statement: the one before reads what was there when it began, and misses a step that was committed
      // while it waited for the head.
      const found = await this.#dialect.read(lease.id)
      const verdict = found === undefined ? 'renewed' : judge(found.head, lease)
      if (found?.head.token === lease.token && verdict === 'opened')
        return { kind: 'opened', steps: found.steps }
      if (verdict === 'renewed') await this.#renew(lease, keepMs)
      else if (verdict !== 'opened') return { kind: verdict }
    }
    throw new IdempotencyError(
      'store-failed',
      'The journal of this key changed faster than it could be opened.',
    )
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    await this.#prepared()
    if (change.state === 'undone') return this.#undo(lease, change.name)
    return (await this.#dialect.putStep(lease, change)) ? 'written' : 'stale'
  }

  async transact(request: TransactionRequest): Promise<WriteResult> {
    await this.#prepared()
    if (request.within !== undefined) return joinTransaction(this.#dialect, request.within, request)
    return this.#transact(request)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#cleaner.stop()
  }

  async #transact({ step, work }: TransactionRequest): Promise<WriteResult> {
    const dialect = this.#dialect
    const idleMs = step && idleMsOf(step.lease)
    let isCommitting = false
    try {
      await dialect.transaction({ idleMs, isOwn: false }, async (transaction, native) => {
        const result = await work(native)
        if (step === undefined) return
        const written = await dialect.addStep(transaction, step.lease, finishedStep(step, result))
        if (!written) throw new Stale()
        isCommitting = true
      })
      return 'written'
    } catch (error) {
      if (error instanceof Stale) return 'stale'
      if (!isCommitting || step === undefined) throw error
      if (await this.#question.wasCommitted(step, error)) return 'written'
      throw error
    }
  }

  /** Steps that belong to another request are deleted with the head's change of hands, or not at all. */
  #renew(lease: HeldLease, keepMs: number): Promise<void> {
    const dialect = this.#dialect
    return dialect.transaction({ isOwn: true, idleMs: idleMsOf(lease) }, async (transaction) => {
      const head = await dialect.lockHead(transaction, lease.id, 'alone')
      if (head !== undefined && judge(head, lease) === 'renewed') {
        await dialect.renewHead(transaction, lease, keepMs)
      }
    })
  }

  #undo(lease: HeldLease, name: string): Promise<WriteResult> {
    const dialect = this.#dialect
    return dialect.transaction({ isOwn: true, idleMs: idleMsOf(lease) }, async (transaction) => {
      const head = await dialect.lockHead(transaction, lease.id, 'share')
      if (head?.token !== lease.token) return 'stale'
      await dialect.deleteStep(transaction, lease.id, name)
      return 'written'
    })
  }

  async #prepared(): Promise<void> {
    if (this.#isClosed) throw journalClosed(this.name)
    this.#ready ??= this.#prepare()
    await this.#ready
  }

  async #prepare(): Promise<void> {
    try {
      await this.#dialect.prepare()
      this.#cleaner.start()
    } catch (error) {
      this.#ready = undefined
      throw error
    }
  }
}

/** The cleaner holds keys that are over, and for as long as a statement takes. */
const cleaningIdleMs = 10_000

/** Rolls a transaction back. */
class Stale extends Error {}

export function journalClosed(name: string): IdempotencyError {
  return new IdempotencyError('store-closed', `The ${name} journal is closed.`)
}
