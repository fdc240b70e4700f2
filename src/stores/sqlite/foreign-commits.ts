import { isFields } from '../encoding/fields.ts'
import type { SqliteDatabase, SqliteStatement } from './handle.ts'

/** Whether other connections have committed: SQLite can't call us, but it can be asked, for about a microsecond. */
export class ForeignCommits {
  readonly #statement: SqliteStatement
  #version: unknown
  #seen = 0

  constructor(sql: SqliteDatabase) {
    this.#statement = sql.prepare('PRAGMA data_version')
    this.look()
  }

  /** How often a look has found that others had committed. */
  get seen(): number {
    return this.#seen
  }

  /** Counts everything that others committed before. Returns {@link seen}. */
  look(): number {
    const version = this.#currentVersion()
    if (version === undefined || version !== this.#version) this.#seen += 1
    this.#version = version
    return this.#seen
  }

  /** Undefined where the database is locked for a moment: anything may have happened. */
  #currentVersion(): unknown {
    try {
      const row = this.#statement.get()
      return isFields(row) ? row['data_version'] : undefined
    } catch {
      return undefined
    }
  }
}
