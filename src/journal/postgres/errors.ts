import { IdempotencyError, isIdempotencyError } from '../../core/errors.ts'
import { detailOf } from '../../stores/postgres/detail.ts'
import { findInCauses } from '../causes.ts'

/** What the driver threw, as an error that says in plain words what to do about it. */
export function journalError(error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const state = sqlState(error)
  const advice = adviceByState.get(state ?? '') ?? ''
  const message = `Postgres refused an operation of the journal: ${detailOf(error, state)}${advice}`
  return new IdempotencyError('store-failed', message, { cause: error })
}

/** The statement met another that changed the same row, and has been undone: it may be sent again at once. */
export function isRepeatable(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error) ?? '')
}

/** There is no such table or schema. */
export function isMissingTable(error: unknown): boolean {
  return ['42P01', '3F000'].includes(sqlState(error) ?? '')
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html; both drivers put it into `code`. */
export function sqlState(error: unknown): string | undefined {
  return findInCauses(error, ({ code }) => (typeof code === 'string' && isState(code) ? code : undefined))
}

function isState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}

const adviceByState = new Map([
  ['25006', ' Connect the pool to the primary server: this one is a replica, or read-only.'],
  [
    '42501',
    ' The user needs USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on its tables. To create them, run ' +
      'what journalSchema("postgres") returns as their owner.',
  ],
  ['42P01', ' Create the tables: journalSchema("postgres") returns how.'],
  ['53300', ' Raise max_connections of the server, or lower the size of the pools.'],
  ['55P03', ' Look for a transaction that has ended its step but not itself: a debugger, a stopped process.'],
])
