import { IdempotencyError, isIdempotencyError, nameAndMessage } from '../../core/errors.ts'

/** What the driver threw, as an error that says in plain words what to do about it. */
export function storeError(error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const number = errorNumber(error) ?? 0
  if (diskFull.has(number)) {
    return new IdempotencyError(
      'store-full',
      'The disk of MySQL is full. Make room: nothing that was recorded is lost, and the store goes on by itself.',
      { cause: error },
    )
  }
  const advice = adviceByNumber.get(number) ?? ''
  const message = `MySQL refused an operation: ${detailOf(error)}${advice}`
  return new IdempotencyError('store-failed', message, { cause: error })
}

/** The server undid it: of two that wait for each other, or (3101) of two that were written on two primaries. */
export function isRepeatable(error: unknown): boolean {
  return [1213, 3101].includes(errorNumber(error) ?? 0)
}

/** Another transaction holds the row, and kept it for as long as a statement may wait. */
export function isLocked(error: unknown): boolean {
  return errorNumber(error) === 1205
}

export function isDuplicate(error: unknown): boolean {
  return errorNumber(error) === 1062
}

export function isMissingTable(error: unknown): boolean {
  return errorNumber(error) === 1146
}

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html */
function errorNumber(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('errno' in error)) return undefined
  return typeof error.errno === 'number' ? error.errno : undefined
}

const diskFull = new Set([1021, 1114])

const adviceByNumber = new Map([
  [1040, ' Raise max_connections of the server, or lower the size of the pools.'],
  [1045, ' Give the pool the right user and password.'],
  [1046, ' Name a database in the pool.'],
  [1049, ' Create the database, or name another in the pool.'],
  [
    1142,
    ' The user needs SELECT, INSERT, UPDATE and DELETE on the tables. To create them, run what ' +
      'hapax migrate --print --dialect mysql shows as their owner.',
  ],
  [1146, ' Create the tables: hapax migrate --print --dialect mysql shows how.'],
  [1205, ' Look for a transaction that is open on this record: a shell, a backup, a debugger.'],
  [1290, ' Connect the pool to the primary server: this one is a replica, or read-only.'],
  [1792, ' Connect the pool to the primary server, without a read-only transaction.'],
  [1836, ' Connect the pool to the primary server: this one is read-only.'],
])

/** A refused connection to a name with several addresses has its reasons inside, and no message. */
function detailOf(error: unknown): string {
  const { message } = nameAndMessage(error)
  if (message !== '') return message
  if (error instanceof AggregateError)
    return error.errors.map((each) => nameAndMessage(each).message).join('; ')
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'without a reason'
}
