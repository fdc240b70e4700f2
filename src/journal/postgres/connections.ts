import { invalidOption } from '../../core/errors.ts'
import type { Connection, Reply } from '../dialect.ts'
import type {
  NodePostgresClient,
  NodePostgresPool,
  PostgresJournalClient,
  PostgresJsExecutor,
  PostgresJsSql,
} from './clients.ts'

/** The user's pool, whichever library it is from. */
export interface Pool extends Connection {
  /** Runs `work` in a transaction, after `settings`: statements without values. */
  transaction(
    isolation: string,
    settings: readonly string[],
    work: (transaction: Connection, native: unknown) => Promise<void>,
  ): Promise<void>
}

/** Tells the client by what it can do: `instanceof` fails where two copies of a library are installed. */
export function poolOf(client: PostgresJournalClient): Pool {
  if (isPostgresJs(client)) return postgresJsPool(client)
  if (isNodePostgres(client)) return nodePostgresPool(client)
  throw invalidOption(
    'pool',
    'a Pool of pg, or the sql function that postgres() of postgres.js returns; not a single client, whose ' +
      'transactions would become one',
    client,
  )
}

/** The transaction of any library, as long as it has `query(text, values)`; or that of postgres.js. */
export function connectionOf(within: unknown): Connection | undefined {
  if (hasMethods(within, ['unsafe'])) return postgresJsConnection(within as PostgresJsExecutor)
  if (hasMethods(within, ['query'])) return nodePostgresConnection(within as NodePostgresClient)
  return undefined
}

function nodePostgresPool(pool: NodePostgresPool): Pool {
  // The pool reports here that an idle connection broke; without a listener that would end the process.
  if (pool.listenerCount('error') === 0) pool.on('error', ignore)
  return {
    ...nodePostgresConnection(pool),
    async transaction(isolation, settings, work) {
      const client = await pool.connect()
      // The server may end the connection at any time: whoever uses it next hears of it by an error of its own.
      client.on('error', ignore)
      let failed: Error | undefined
      try {
        await client.query([`BEGIN ${isolation}`, ...settings].join('; '))
        await work(nodePostgresConnection(client), client)
        await client.query('COMMIT')
      } catch (error) {
        failed = await rollBack(client)
        throw error
      } finally {
        client.off('error', ignore)
        client.release(failed)
      }
    },
  }
}

/** Resolves to what makes the connection useless. */
async function rollBack(client: NodePostgresClient): Promise<Error | undefined> {
  try {
    await client.query('ROLLBACK')
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error('ROLLBACK failed.')
  }
}

function nodePostgresConnection(client: {
  query(text: string, values?: unknown[]): Promise<unknown>
}): Connection {
  return {
    query: async (text, values) =>
      replyOf(await (values === undefined ? client.query(text) : client.query(text, [...values]))),
  }
}

function postgresJsPool(sql: PostgresJsSql): Pool {
  return {
    ...postgresJsConnection(sql),
    async transaction(isolation, settings, work) {
      await sql.begin(isolation, async (transaction) => {
        const connection = postgresJsConnection(transaction)
        await Promise.all(settings.map(async (setting) => connection.query(setting)))
        await work(connection, transaction)
      })
    },
  }
}

function postgresJsConnection(sql: PostgresJsExecutor): Connection {
  return {
    query: async (text, values) => {
      if (values === undefined) return replyOf(await sql.unsafe(text))
      // Unprepared, postgres.js asks the server for the types of the parameters first: a round trip more. It does so
      // all the same where its own `prepare` is off. The driver's type for values can't be named without importing it.
      return replyOf(await sql.unsafe(text, [...values] as never[], { prepare: true }))
    },
  }
}

function replyOf(result: unknown): Reply {
  const rows: unknown = Array.isArray(result) ? result : rowsIn(result)
  if (!Array.isArray(rows)) {
    throw invalidOption(
      'within',
      'something whose query(text, values) resolves to rows, or to { rows }',
      result,
    )
  }
  // By place, since a client may be set to rename columns.
  return { rows: rows.map((row: object) => (Array.isArray(row) ? row : Object.values(row))) }
}

function rowsIn(result: unknown): unknown {
  return typeof result === 'object' && result !== null && 'rows' in result ? result.rows : undefined
}

function isPostgresJs(client: unknown): client is PostgresJsSql {
  return typeof client === 'function' && hasMethods(client, ['unsafe', 'begin'])
}

/** A single client of pg can connect and query too, but counts no clients. */
function isNodePostgres(client: unknown): client is NodePostgresPool {
  return hasMethods(client, ['query', 'connect', 'on', 'listenerCount']) && 'totalCount' in Object(client)
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}

function ignore(): void {}
