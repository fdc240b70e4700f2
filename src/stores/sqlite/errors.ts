import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ErrorCode, IdempotencyError, isIdempotencyError, nameAndMessage } from '../../core/errors.ts'

/** The file that a database lies in, for messages. Undefined for a database in memory. */
export type DatabaseFile = string | undefined

/** SQLite's primary result codes that users meet: https://www.sqlite.org/rescode.html */
const codesByNumber = new Map<number, string>([
  [3, 'PERM'],
  [5, 'BUSY'],
  [6, 'LOCKED'],
  [8, 'READONLY'],
  [10, 'IOERR'],
  [11, 'CORRUPT'],
  [13, 'FULL'],
  [14, 'CANTOPEN'],
  [26, 'NOTADB'],
])

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === 'BUSY' || code === 'LOCKED'
}

/** What the driver threw, as an error that says in plain words what to do about it. */
export function storeError(error: unknown, file: DatabaseFile): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const { code, message } = explain(error, file)
  return new IdempotencyError(code, message, { cause: error })
}

function explain(error: unknown, file: DatabaseFile): { code: ErrorCode; message: string } {
  const name =
    file === undefined ? 'The SQLite database in memory' : `The SQLite file ${JSON.stringify(file)}`
  switch (sqliteCode(error)) {
    case 'BUSY':
    case 'LOCKED':
      return {
        code: 'store-failed',
        message:
          `${name} stayed locked by another connection. Look for a program that holds a transaction open on ` +
          'it (a shell, a backup, a migration), or raise busyTimeout.',
      }
    case 'FULL':
      return {
        code: 'store-full',
        message:
          `${name} can't grow: its disk is full, or a size limit of the database is reached. Make room: ` +
          'nothing that was recorded is lost, and the store goes on by itself.',
      }
    case 'READONLY':
    case 'PERM':
      return {
        code: 'store-failed',
        message:
          `${name} can't be written by this process. Make the file and its folder writable: SQLite keeps two ` +
          'more files beside it (-wal and -shm).',
      }
    case 'CANTOPEN':
      return { code: 'store-failed', message: `${name} can't be opened: ${whyNotOpened(file)}` }
    case 'NOTADB':
      return {
        code: 'store-failed',
        message: `${name} is not a SQLite database, or it is encrypted. It was left as it is: choose another path.`,
      }
    case 'CORRUPT':
      return {
        code: 'store-failed',
        message:
          `${name} is damaged. Check it with "PRAGMA integrity_check", and restore it from a backup or move it ` +
          'away. Without it, keys that were used before count as new.',
      }
    case 'IOERR':
      return {
        code: 'store-failed',
        message: `${name} could not be read or written. Check its disk, and that it is not on a network share.`,
      }
    default:
      return { code: 'store-failed', message: `${name} refused an operation: ${detailOf(error)}` }
  }
}

function whyNotOpened(file: DatabaseFile): string {
  if (file === undefined) return 'SQLite gave no reason.'
  const folder = dirname(file)
  if (!existsSync(folder)) return `the folder ${JSON.stringify(folder)} does not exist. Create it first.`
  return 'it must be a file, not a folder, and this process must be allowed to write it and its folder.'
}

/** The primary code's name, however the driver tells it. */
function sqliteCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  // node:sqlite: `errcode`, with the extended code's detail in the upper bits.
  const number = 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
  if (number !== undefined) return codesByNumber.get(number)
  // better-sqlite3 and libsql: `code` is SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT and so on.
  const text = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return /^SQLITE_([A-Z]+)/.exec(text)?.[1]
}

function detailOf(error: unknown): string {
  const { message } = nameAndMessage(error)
  // SQLite has no code of its own for this.
  return message.includes('within a transaction')
    ? 'it is in the middle of a transaction of its owner. Give the store a connection of its own.'
    : message
}
