import { IdempotencyError, isIdempotencyError, nameAndMessage } from '../../core/errors.ts'
import { findInCauses } from '../causes.ts'

/** What the driver threw, as an error that says in plain words what to do about it. */
export function journalError(error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const advice = adviceByNumber.get(errorNumber(error) ?? 0) ?? ''
  const message = `MySQL refused an operation of the journal: ${nameAndMessage(error).message}${advice}`
  return new IdempotencyError('store-failed', message, { cause: error })
}

export function isDeadlock(error: unknown): boolean {
  return errorNumber(error) === 1213
}

export function isMissingTable(error: unknown): boolean {
  return errorNumber(error) === 1146
}

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html */
export function errorNumber(error: unknown): number | undefined {
  return findInCauses(error, ({ errno }) => (typeof errno === 'number' ? errno : undefined))
}

const adviceByNumber = new Map([
  [1046, ' Name a database in the pool.'],
  [
    1142,
    ' The user needs SELECT, INSERT, UPDATE and DELETE on the tables. To create them, run what ' +
      'journalSchema("mysql") returns as their owner.',
  ],
  [1146, ' Create the tables: journalSchema("mysql") returns how.'],
  [1205, ' Look for a transaction that has ended its step but not itself: a debugger, a stopped process.'],
  [1290, ' Connect the pool to the primary server: this one is a replica, or read-only.'],
])
