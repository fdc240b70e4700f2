import { IdempotencyError } from '../../core/errors.ts'

/**
 * An open SQLite database, as node:sqlite's `DatabaseSync`, better-sqlite3 and libsql offer it.
 * All calls are synchronous.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

export interface SqliteStatement {
  run(...parameters: SqliteValue[]): unknown
  get(...parameters: SqliteValue[]): unknown
  all(...parameters: SqliteValue[]): unknown[]
  /** Of newer versions of node:sqlite: rows are arrays. */
  setReturnArrays?(enabled: boolean): void
}

export type SqliteValue = string | number | null | Uint8Array

export interface OwnedDatabase extends SqliteDatabase {
  close(): unknown
}

/** Opens the file with the SQLite that comes with Node. */
export function openWithNode(path: string, caller = 'sqliteStore'): OwnedDatabase {
  // Looked up only when needed, so that hapax loads on a Node without it; `import` can't be undone or lazy
  // in CommonJS and ES modules alike.
  const sqlite = process.getBuiltinModule('node:sqlite')
  if (sqlite === undefined) {
    throw new IdempotencyError(
      'sqlite-missing',
      `Node ${process.version} has no node:sqlite, which came with Node 22.13. Use a newer Node, or give ` +
        `${caller}() a database of libsql or better-sqlite3 instead of a path.`,
    )
  }
  return new sqlite.DatabaseSync(path)
}
