import { setTimeout as sleep } from 'node:timers/promises'
import { type Deadline, DeadlineExceeded } from '../../core/deadline.ts'
import { IdempotencyError } from '../../core/errors.ts'
import { Gate } from '../remote/gate.ts'
import type { MysqlConnection, MysqlPool } from './clients.ts'
import { isRepeatable, storeError } from './errors.ts'
import { withLiterals } from './literals.ts'

export type SqlValue = Uint8Array | number | null
export type Row = readonly unknown[]

export interface Reply {
  readonly rows: readonly Row[]
  readonly affectedRows: number
}

export type Check = (reply: Reply) => void

const mostTries = 10

/** Flags of the protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html */
const inTransaction = 1
const autocommit = 2

/** Runs statements, each in a transaction of its own, once the tables are there. */
export class Session {
  readonly #pool: MysqlPool
  readonly #deadline: Deadline
  readonly #prepare: () => Promise<void>
  readonly #gate = new Gate('MySQL')
  #prepared: Promise<void> | undefined

  /** @param prepare Called before the first statement, and again after it failed. */
  constructor(pool: MysqlPool, deadline: Deadline, prepare: () => Promise<void>) {
    this.#pool = pool
    this.#deadline = deadline
    this.#prepare = prepare
  }

  /** @param check Throws where the connection is not as it must be; it is closed then. */
  async run(sql: string, values: readonly SqlValue[], check: Check = () => {}): Promise<Reply> {
    await this.ready()
    try {
      return await this.#repeat(sql, values, check)
    } catch (error) {
      throw storeError(error)
    }
  }

  async ready(): Promise<void> {
    try {
      this.#prepared ??= this.#gate.pass(this.#prepare)
      await this.#prepared
    } catch (error) {
      this.#prepared = undefined
      throw storeError(error)
    }
  }

  /** The tables may have changed: looks at them again before the next statement. */
  prepareAgain(): void {
    this.#prepared = undefined
  }

  /** Of two that wait for each other, the one that the server ended has decided nothing, and is sent again. */
  async #repeat(sql: string, values: readonly SqlValue[], check: Check): Promise<Reply> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#gate.pass(() =>
          withConnection(this.#pool, this.#deadline, async (query) => {
            const reply = await query(sql, values)
            check(reply)
            return reply
          }),
        )
      } catch (error) {
        if (!isRepeatable(error) || tries >= mostTries) throw error
      }
      await sleep(Math.random() * 5 * tries, undefined, { ref: false })
    }
  }
}

export type Query = (sql: string, values?: readonly SqlValue[]) => Promise<Reply>

/** A connection that failed otherwise than by a refusal of the server, or answers nothing, is closed. */
export async function withConnection<T>(
  pool: MysqlPool,
  deadline: Deadline,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const connection = await pool.getConnection()
  try {
    const result = await deadline.bound(work(queryOf(connection)))
    connection.release()
    return result
  } catch (error) {
    if (isRefusal(error)) connection.release()
    else connection.destroy()
    throw error instanceof DeadlineExceeded ? new Error('no answer in time.', { cause: error }) : error
  }
}

function queryOf(connection: MysqlConnection): Query {
  return async (sql, values = []) => {
    // Whatever the pool's own settings are, the rows look the same.
    const result = await connection.query({
      sql: withLiterals(sql, values),
      rowsAsArray: true,
      typeCast: true,
      nestTables: false,
    })
    return replyOf(result)
  }
}

/** mysql2 gives `[rows, fields]` or `[header, fields]`. */
function replyOf(result: unknown): Reply {
  const [first]: readonly unknown[] = Array.isArray(result) ? result : []
  if (Array.isArray(first)) {
    return { rows: first.filter((row): row is Row => Array.isArray(row)), affectedRows: 0 }
  }
  if (typeof first !== 'object' || first === null || !('affectedRows' in first)) {
    throw new Error('The pool returned neither rows nor a number of them.')
  }
  const status = 'serverStatus' in first ? Number(first.serverStatus) : autocommit
  if ((status & inTransaction) !== 0 || (status & autocommit) === 0) throw insideTransaction()
  return { rows: [], affectedRows: Number(first.affectedRows) }
}

/** Its connection is closed, so the write is undone. */
export function insideTransaction(): IdempotencyError {
  return new IdempotencyError(
    'store-failed',
    'A connection of the pool was inside a transaction, or has autocommit off, and an answer must outlive a rollback. ' +
      'Commit or roll back before you release a connection, or give the store a pool of its own.',
  )
}

/** The server understood and said no: the connection is as it was. */
function isRefusal(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('sqlState' in error)) return false
  return !('fatal' in error && error.fatal === true)
}
