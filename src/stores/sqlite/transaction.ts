import type { SqliteDatabase } from './handle.ts'

/**
 * Runs `work` in a write transaction. A lock that is taken is an error of BEGIN, before `work` has run.
 */
export function inWriteTransaction(sql: SqliteDatabase, work: () => void): void {
  // Outside the `try`: where the handle's owner is inside a transaction, BEGIN fails, and rolling back then
  // would undo that transaction of theirs.
  sql.exec('BEGIN IMMEDIATE')
  try {
    work()
    sql.exec('COMMIT')
  } catch (error) {
    rollBack(sql)
    throw error
  }
}

/** Throws where `statement` can't be executed, and leaves no trace of it. */
export function rehearse(sql: SqliteDatabase, statement: string): void {
  sql.exec('BEGIN IMMEDIATE')
  try {
    sql.exec(statement)
  } finally {
    rollBack(sql)
  }
}

/** Runs `work` on one snapshot of the database. */
export function inReadTransaction<T>(sql: SqliteDatabase, work: () => T): T {
  sql.exec('BEGIN')
  try {
    return work()
  } finally {
    rollBack(sql)
  }
}

function rollBack(sql: SqliteDatabase): void {
  try {
    sql.exec('ROLLBACK')
  } catch {
    // SQLite has rolled back by itself, as it does where the disk is full.
  }
}
