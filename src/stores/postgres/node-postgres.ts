import type { NodePostgresClient, NodePostgresPool } from './clients.ts'
import type { Database, DatabaseSettings, Listener, Listening, Row, SqlValue } from './database.ts'
import { isPreparedStatementLost } from './errors.ts'
import type { Statement } from './statements.ts'

export function nodePostgresDatabase(pool: NodePostgresPool, settings: DatabaseSettings): Database {
  // The pool reports here that an idle connection broke; without a listener that would end the process.
  if (pool.listenerCount('error') === 0) pool.on('error', () => {})
  let prepare = settings.prepare
  const send = async (
    statement: Statement,
    values: readonly SqlValue[],
    isPrepared: boolean,
  ): Promise<readonly Row[]> => {
    const name = isPrepared && statement.name !== undefined ? { name: statement.name } : {}
    const parameters = values.length > 0 ? { values: [...values] } : {}
    const config = { ...name, text: statement.text, ...parameters, rowMode: 'array' as const }
    const { rows } = await pool.query({ ...config, ...timeoutOf(statement, settings) })
    return rows.map(rowIn)
  }
  return {
    query: async (statement, values) => {
      const isPrepared = prepare
      try {
        return await send(statement, values, isPrepared)
      } catch (error) {
        // A pooler gave the transaction to another server connection, where it did not run.
        if (!isPrepared || !isPreparedStatementLost(error)) throw error
        prepare = false
        return send(statement, values, false)
      }
    },
    listen: (channel, listener) => listen(pool, channel, listener),
  }
}

/** pg takes it beside each query, though its types know it for a whole client only. */
function timeoutOf(statement: Statement, { answerTimeoutMs }: DatabaseSettings): object {
  return statement.isSlow === true ? {} : { query_timeout: answerTimeoutMs }
}

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
