import { resolve } from 'node:path'
import { IdempotencyError, invalidOption } from '../../core/errors.ts'
import { type DatabaseFile, isBusy, storeError } from './errors.ts'
import { isFields, string } from '../encoding/fields.ts'
import { fdatasyncs, FileSync, type Syncing } from './file-sync.ts'
import { ForeignCommits } from './foreign-commits.ts'
import { openWithNode, type SqliteDatabase } from './handle.ts'
import { LogSync } from './log-sync.ts'
import { migrate } from './migrate.ts'
import { rehearse } from './transaction.ts'

export interface OpenDatabase {
  readonly sql: SqliteDatabase
  readonly file: DatabaseFile
  readonly foreign: ForeignCommits
  /** What makes commits durable; undefined: SQLite does, before a commit returns. */
  readonly logSync: LogSync | undefined
  /** Closes the database if it was opened here, and not if it was given. */
  close(): void
}

export interface OpenSettings {
  /** How long to wait for locks, by blocking. */
  readonly lockBoundMs: number
  /** How the log of a file that is opened here is synced. Undefined: by SQLite. */
  readonly syncing?: Syncing | undefined
}

/**
 * On Linux alone: there one descriptor syncs what all processes wrote, as we could test. On Windows a descriptor that is open
 * would also keep SQLite from making its log anew.
 */
const usualSyncing = process.platform === 'linux' ? fdatasyncs : undefined

/**
 * Opens and prepares a database; blocks while another process does the same.
 *
 * @throws {IdempotencyError} that names the file and what to do, for whatever stands in the way
 */
export function openDatabase(
  target: string | SqliteDatabase,
  { lockBoundMs, syncing = usualSyncing }: OpenSettings,
): OpenDatabase {
  if (typeof target === 'string') return openFile(target, { lockBoundMs, syncing })
  if (!isDatabase(target)) {
    throw invalidOption('pathOrDatabase', 'the path of a file, or an open SQLite database', target)
  }
  const file = explained(undefined, () => fileOf(target))
  explained(file, () => prepareDatabase(target, file, lockBoundMs))
  // Whoever opened it may have told its SQLite where and how to write, so its own syncs are left to it.
  return { sql: target, file, foreign: new ForeignCommits(target), logSync: undefined, close: () => {} }
}

/** SQLite waits for a lock by blocking the event loop: longer waits are made of timers instead. */
const busyTimeoutMs = 5
const maxLogBytes = 64 * 1024 * 1024
/** A page that changes often is copied to the database once for all its changes in the log. SQLite's own number is 1000. */
const pagesPerCheckpoint = 4_000

function openFile(path: string, { lockBoundMs, syncing }: OpenSettings): OpenDatabase {
  if (path === '') throw invalidOption('pathOrDatabase', 'the path of a file', path)
  const file = path === ':memory:' ? undefined : resolve(path)
  const sql = explained(file, () => openWithNode(file ?? path))
  try {
    explained(file, () => prepareDatabase(sql, file, lockBoundMs))
    const foreign = new ForeignCommits(sql)
    const logSync = syncing && explained(file, () => takeOverSyncs(sql, foreign, syncing))
    return { sql, file, foreign, logSync, close: () => explained(file, () => sql.close()) }
  } catch (error) {
    sql.close()
    throw error
  }
}

/** Takes the syncs of commits over from SQLite; those of checkpoints stay with it. */
function takeOverSyncs(sql: SqliteDatabase, foreign: ForeignCommits, syncing: Syncing): LogSync | undefined {
  const file = fileOf(sql)
  if (file === undefined) return undefined
  // As SQLite names it: beside the file that a symbolic link points at.
  const log = `${file}-wal`
  const logSync = new LogSync(log, new FileSync(log, syncing), foreign)
  sql.exec('PRAGMA synchronous = NORMAL')
  return logSync
}

function prepareDatabase(sql: SqliteDatabase, file: DatabaseFile, lockBoundMs: number): void {
  // First, as the next statements already meet the locks of other processes that are starting.
  sql.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  if (file !== undefined) retryWhileBusy(lockBoundMs, () => useWriteAheadLog(sql))
  sql.exec(`PRAGMA synchronous = FULL; PRAGMA journal_size_limit = ${maxLogBytes}`)
  sql.exec(`PRAGMA wal_autocheckpoint = ${pagesPerCheckpoint}`)
  retryWhileBusy(lockBoundMs, () => migrate(sql))
  // A file that can't be written is an error now, and not first when a request comes. To begin a transaction
  // proves nothing: SQLite begins one for reading where it can't write.
  retryWhileBusy(lockBoundMs, () => rehearse(sql, 'UPDATE hapax_meta SET clock_ms = clock_ms'))
}

function useWriteAheadLog(sql: SqliteDatabase): void {
  const mode = sql.prepare('PRAGMA journal_mode = WAL').get()
  if (isFields(mode) && mode['journal_mode'] === 'wal') return
  throw new IdempotencyError(
    'store-failed',
    'This SQLite database does not take a write-ahead log, without which readers and writers block each ' +
      'other. Put the file on a local disk, not on a network share.',
  )
}

function fileOf(sql: SqliteDatabase): DatabaseFile {
  const main = sql
    .prepare('PRAGMA database_list')
    .all()
    .filter(isFields)
    .find(({ name }) => name === 'main')
  const path = main === undefined ? '' : string(main['file'] ?? '', 'file')
  return path === '' ? undefined : path
}

function isDatabase(target: unknown): target is SqliteDatabase {
  if (typeof target !== 'object' || target === null) return false
  return ['exec', 'prepare'].every((name) => typeof Reflect.get(target, name) === 'function')
}

function explained<T>(file: DatabaseFile, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(error, file)
  }
}

/** SQLite does not wait by itself for all locks: two processes that turn the log on may both fail at once. */
function retryWhileBusy(boundMs: number, work: () => void): void {
  const giveUpMs = performance.now() + boundMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() >= giveUpMs) throw error
      sleep(5 + Math.random() * 20)
    }
  }
}

/** Blocks the thread: a store is opened while the program starts, by a call that is not asynchronous. */
function sleep(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs)
}
