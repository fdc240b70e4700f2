import { invalidOption } from '../../core/errors.ts'
import type { NodePostgresPool, PostgresClient, PostgresJsSql } from './clients.ts'
import { nodePostgresDatabase } from './node-postgres.ts'
import { postgresJsDatabase } from './postgres-js.ts'
import type { Statement } from './statements.ts'

export type SqlValue = string | Buffer
/** The values of one row, in the order of its columns. */
export type Row = readonly unknown[]

/** The user's pool as the store sees it, whichever library it is from. */
export interface Database {
  /** Runs one statement in a transaction of its own, on any connection of the pool. */
  query(statement: Statement, values: readonly SqlValue[]): Promise<readonly Row[]>
  /** Opens a connection of its own that hears what is notified on `channel`. */
  listen(channel: string, listener: Listener): Promise<Listening>
}

export interface Listener {
  /** Called with the payload of each notification. */
  onNotify(payload: string): void
  /** Called when the connection is gone and will not come back by itself. */
  onLost(): void
}

export interface Listening {
  close(): Promise<void>
}

export interface DatabaseSettings {
  /** Prepare each statement once for a connection, where the driver leaves that to its user. */
  readonly prepare: boolean
  /** A connection that has not answered for so long is given up, where the driver allows it. */
  readonly answerTimeoutMs: number
}

/** Tells the client by what it can do: `instanceof` fails where two copies of a library are installed. */
export function databaseOf(client: PostgresClient, settings: DatabaseSettings): Database {
  if (isPostgresJs(client)) return postgresJsDatabase(client, settings)
  if (isPool(client)) return nodePostgresDatabase(client, settings)
  throw invalidOption(
    'pool',
    'a Pool of pg, or the sql function that postgres() of postgres.js returns; not a single client, whose ' +
      'open transaction would swallow the records',
    client,
  )
}

/** The `sql` of a transaction or of a reserved connection has no `listen`. */
function isPostgresJs(client: unknown): client is PostgresJsSql {
  return typeof client === 'function' && hasMethods(client, ['unsafe', 'listen'])
}

/** A single client of pg can connect and query too, but counts no clients. */
function isPool(client: unknown): client is NodePostgresPool {
  if (typeof client !== 'object' || client === null) return false
  return 'totalCount' in client && hasMethods(client, ['query', 'connect', 'on'])
}

function hasMethods(value: object, names: readonly string[]): boolean {
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}
