import type { TransactionRequest } from '../core/journal.ts'
import { IdempotencyError, invalidOption } from '../core/errors.ts'
import type { WriteResult } from '../core/store.ts'
import type { Dialect } from './dialect.ts'
import { finishedStep } from './encoding.ts'

/** Transactions of the application's that a step runs in. */
const busy = new WeakSet<object>()
let savepoints = 0

/**
 * Runs a step in a transaction that the application began. Where it fails, what it did is undone up to where it
 * began, so that an application which commits all the same commits no half of it.
 */
export async function joinTransaction(
  dialect: Dialect,
  within: unknown,
  request: TransactionRequest,
): Promise<WriteResult> {
  const connection = dialect.connectionOf(within)
  if (connection === undefined || !isObject(within)) {
    throw invalidOption('within', `an open transaction of ${dialect.name} with a query(text, values)`, within)
  }
  if (busy.has(within)) throw overlapping(request)
  busy.add(within)
  try {
    savepoints += 1
    const savepoint = `hapax_${savepoints}`
    if (!(await dialect.mark(connection, savepoint))) throw noTransaction(request)
    try {
      const result = await request.work(within)
      const { step } = request
      if (step === undefined) return 'written'
      if (await dialect.addStep(connection, step.lease, finishedStep(step, result))) return 'written'
    } catch (error) {
      await dialect.returnTo(connection, savepoint).catch(ignore)
      throw error
    }
    await dialect.returnTo(connection, savepoint)
    return 'stale'
  } finally {
    busy.delete(within)
  }
}

/** The connection is gone, and the transaction with it. */
function ignore(): void {}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

export function noTransaction({ step }: TransactionRequest): IdempotencyError {
  return new IdempotencyError(
    'transaction-unavailable',
    `What transaction(${JSON.stringify(step?.name ?? '')}) was given as "within" is not in a transaction. Begin one and ` +
      'give its own connection, or leave "within" out.',
  )
}

function overlapping({ step }: TransactionRequest): IdempotencyError {
  return new IdempotencyError(
    'invalid-step',
    `transaction(${JSON.stringify(step?.name ?? '')}) began while another step runs in the transaction that it was given. ` +
      'Await one before the next.',
  )
}
