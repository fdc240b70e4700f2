import type { Clock } from '../core/clock.ts'
import { IdempotencyError } from '../core/errors.ts'
import type { TransactionRequest } from '../core/journal.ts'
import { type Dialect, idleMsOf } from './dialect.ts'

type Step = NonNullable<TransactionRequest['step']>

/** Where a journal waits. */
export type Timers = Pick<Clock, 'setTimer'>

/** These keep the process alive, unlike the engine's: somebody waits for what became of a transaction. */
const realTimers: Timers = {
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}

const askAgainMs = 50

/** Finds out what became of a transaction where the answer to COMMIT was lost, or was an error. */
export class CommitQuestion {
  readonly #dialect: Dialect
  readonly #limitMs: number
  readonly #timers: Timers

  constructor(dialect: Dialect, limitMs: number, timers: Timers = realTimers) {
    this.#dialect = dialect
    this.#limitMs = limitMs
    this.#timers = timers
  }

  /**
   * Who gets the head alone knows that the transaction, which holds a share of it, has ended in one way or the other.
   *
   * @throws IdempotencyError `commit-unknown`
   */
  async wasCommitted(step: Step, cause: unknown): Promise<boolean> {
    const question = new AbortController()
    // Not only between the tries: a driver may wait long for a connection.
    const timer = this.#timers.setTimer(() => question.abort(), this.#limitMs)
    const tooLate = new Promise<never>((_resolve, reject) => {
      question.signal.addEventListener('abort', () => reject(commitUnknown(step.name, cause)))
    })
    try {
      return await Promise.race([this.#ask(step, question.signal), tooLate])
    } finally {
      timer.cancel()
    }
  }

  async #ask({ lease, name }: Step, signal: AbortSignal): Promise<boolean> {
    const dialect = this.#dialect
    let isCommitted: boolean | undefined
    while (!signal.aborted) {
      try {
        await dialect.transaction({ isOwn: true, idleMs: idleMsOf(lease) }, async (transaction) => {
          await dialect.lockHead(transaction, lease.id, 'alone')
          isCommitted = (await dialect.tokenOf(transaction, lease.id, name)) === lease.token
        })
      } catch {
        // It wrote nothing: how the question's own transaction ended does not matter.
      }
      if (isCommitted !== undefined) return isCommitted
      await new Promise<void>((resolve) => void this.#timers.setTimer(resolve, askAgainMs))
    }
    return false
  }
}

function commitUnknown(name: string, cause: unknown): IdempotencyError {
  return new IdempotencyError(
    'commit-unknown',
    `The connection was lost while the transaction "${name}" was committed, and the database could not be asked whether it was.`,
    { cause },
  )
}
