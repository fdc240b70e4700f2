import { systemClock } from '../../core/clock.ts'
import { Deadline, DeadlineExceeded } from '../../core/deadline.ts'
import type {
  NodePostgresClient,
  NodePostgresConnection,
  NodePostgresPool,
  NodePostgresQuery,
} from './clients.ts'
import type { Database, DatabaseSettings, Listener, Listening, Row, SqlValue } from './database.ts'
import { isLocked, isPreparedStatementLost, isRepeatable } from './errors.ts'
import type { Statement } from './statements.ts'

export function nodePostgresDatabase(pool: NodePostgresPool, settings: DatabaseSettings): Database {
  // The pool reports here that an idle connection broke; without a listener that would end the process.
  if (pool.listenerCount('error') === 0) pool.on('error', ignore)
  const connections = new Connections(pool, settings.answerTimeoutMs)
  let prepare = settings.prepare
  return {
    query: (statement, values) => {
      if (!prepare) return connections.query(statement, values, false)
      return connections.query(statement, values, true).catch((error: unknown) => {
        // A pooler gave the transaction to another server connection, where it did not run.
        if (!isPreparedStatementLost(error)) throw error
        prepare = false
        return connections.query(statement, values, false)
      })
    },
    listen: (channel, listener) => listen(pool, channel, listener),
  }
}

/** Sends statements on connections of the pool, and has it close those that broke or do not answer. */
class Connections {
  readonly #pool: NodePostgresPool
  readonly #deadline: Deadline | undefined

  /** @param answerTimeoutMs 0: without end. */
  constructor(pool: NodePostgresPool, answerTimeoutMs: number) {
    this.#pool = pool
    // pg's own `query_timeout` takes a timer for each statement.
    this.#deadline = answerTimeoutMs > 0 ? new Deadline(systemClock, answerTimeoutMs) : undefined
  }

  async query(
    statement: Statement,
    values: readonly SqlValue[],
    isPrepared: boolean,
  ): Promise<readonly Row[]> {
    const connection = await this.#pool.connect()
    if (!heard.has(connection)) hear(connection)
    let result: { readonly rows: unknown[] }
    try {
      const answer = connection.query(queryOf(statement, values, isPrepared))
      const isBounded = this.#deadline !== undefined && statement.isSlow !== true
      result = isBounded ? await this.#deadline.bound(answer) : await answer
    } catch (error) {
      // The pool closes a connection that it is given back with an error. Any may be in a state that is not known, but
      // for those whose statement lost to another.
      connection.release(isLocked(error) || isRepeatable(error) ? undefined : asError(error))
      throw error instanceof DeadlineExceeded ? new Error('no answer in time.', { cause: error }) : error
    }
    connection.release()
    return result.rows.map(rowIn)
  }
}

/** Of all pools: each store of a pool meets the same connections. */
const heard = new WeakSet<NodePostgresConnection>()

function hear(connection: NodePostgresConnection): void {
  heard.add(connection)
  // One that breaks tells its statement too; without a listener it would end the process.
  connection.on('error', ignore)
}

function queryOf(statement: Statement, values: readonly SqlValue[], isPrepared: boolean): NodePostgresQuery {
  const name = isPrepared && statement.name !== undefined ? { name: statement.name } : {}
  const parameters = values.length > 0 ? { values: [...values] } : {}
  return { ...name, text: statement.text, ...parameters, rowMode: 'array' }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

function ignore(): void {}

function rowIn(row: unknown): Row {
  if (Array.isArray(row)) return row
  throw new Error('The pool returned a row that is no list: it does not heed rowMode.')
}

/** Not one of the pool's connections: with few of them, there would be one less for requests. */
async function listen(pool: NodePostgresPool, channel: string, listener: Listener): Promise<Listening> {
  const client = newClient(pool)
  let isOpen = true
  const lost = () => {
    if (!isOpen) return
    isOpen = false
    listener.onLost()
  }
  const close = async () => {
    isOpen = false
    await client.end()
  }
  client.on('notification', ({ payload }) => {
    if (isOpen) listener.onNotify(payload ?? '')
  })
  client.on('error', lost)
  client.on('end', lost)
  try {
    await client.connect()
    client.unref?.()
    await client.query(`LISTEN "${channel.replaceAll('"', '""')}"`)
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
  return { close }
}

function newClient(pool: NodePostgresPool): NodePostgresClient {
  const Client: unknown = Reflect.get(pool, 'Client')
  if (typeof Client !== 'function') throw new Error('The pool does not tell its Client.')
  // The pool makes its clients in this way; that it is pg's class can't be checked.
  return Reflect.construct(Client, [pool.options]) as NodePostgresClient
}
