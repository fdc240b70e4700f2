import { IdempotencyError, isIdempotencyError } from '../../core/errors.ts'
import { detailOf } from './detail.ts'

/** What the driver threw, as an error that says in plain words what to do about it. */
export function storeError(error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const state = sqlState(error)
  if (state === '53100') {
    return new IdempotencyError(
      'store-full',
      'The disk of Postgres is full. Make room: nothing that was recorded is lost, and the store goes on by itself.',
      { cause: error },
    )
  }
  const advice = adviceByState.get(state ?? '') ?? ''
  const message = `Postgres refused an operation: ${detailOf(error, state)}${advice}`
  return new IdempotencyError('store-failed', message, { cause: error })
}

/** The statement met another that changed the same row, and has been undone: it may be sent again at once. */
export function isRepeatable(error: unknown): boolean {
  return ['40001', '40P01'].includes(sqlState(error) ?? '')
}

/**
 * The server says why it did not carry out a statement, which is a transaction of its own: so it has undone all of it. What
 * else fails, such as a connection, proves nothing.
 */
export function isUndone(error: unknown): boolean {
  const state = sqlState(error)
  return state !== undefined && undoneStates.test(state) && state !== '40003'
}

/** Another transaction holds a lock on the row, and kept it for as long as a statement may wait. */
export function isLocked(error: unknown): boolean {
  return sqlState(error) === '55P03'
}

/** There is no such table or schema. */
export function isMissingTable(error: unknown): boolean {
  return ['42P01', '3F000'].includes(sqlState(error) ?? '')
}

/** The connection has no such prepared statement, or another client's of the same name: nothing ran. */
export function isPreparedStatementLost(error: unknown): boolean {
  return ['26000', '42P05'].includes(sqlState(error) ?? '')
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html; both drivers put it into `code`. */
function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Of the data, of rights and names, of limits; met another, locked, cancelled, no room; and what a trigger raises. */
const undoneStates = /^(?:(?:0A|21|22|23|25|40|42|44|54|55|P0)...|53100|53200|57014)$/

const adviceByState = new Map([
  ['25006', ' Connect the pool to the primary server: this one is a replica, or read-only.'],
  ['28000', ' Give the pool a user that may log in to this database.'],
  ['28P01', ' Give the pool the right password.'],
  ['3D000', ' Create the database, or name another in the pool.'],
  ['3F000', ' Create the tables: hapax migrate --print shows how.'],
  [
    '42501',
    ' The user needs USAGE on the schema, and SELECT, INSERT, UPDATE and DELETE on its tables. To create them, run ' +
      'what hapax migrate --print shows as their owner.',
  ],
  ['42P01', ' Create the tables: hapax migrate --print shows how.'],
  ['53300', ' Raise max_connections of the server, or lower the size of the pools.'],
  ['55P03', ' Look for a transaction that is open on this record: a shell, a backup, a debugger.'],
  ['57014', ' Its statement_timeout may be too short.'],
])
