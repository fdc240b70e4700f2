import type { PostgresClient } from '../../stores/postgres.ts'
import { CommandFailure } from '../failure.ts'
import { installedDriver } from './driver.ts'

export interface PostgresConnection {
  readonly client: PostgresClient
  close(): Promise<unknown>
}

// What the two libraries export, as far as it is used here.

interface NodePostgres {
  readonly default: { readonly Pool: new (options: object) => Closable }
}

interface PostgresJs {
  default(url: string, options: object): Closable
}

type Closable = PostgresClient & { end(): Promise<void> }

/**
 * A pool of one connection, of whichever library is installed. Nothing is sent yet.
 *
 * @throws CommandFailure where neither is.
 */
export async function connectPostgres(url: string): Promise<PostgresConnection> {
  const driver = await installedDriver(['pg', 'postgres'])
  if (driver === undefined) {
    throw new CommandFailure('Postgres needs a client: run "npm install pg", or "npm install postgres".')
  }
  const client =
    driver.name === 'pg'
      ? new (driver.module as NodePostgres).default.Pool({ connectionString: url, max: 1 })
      : (driver.module as PostgresJs).default(url, { max: 1, fetch_types: false })
  return { client, close: () => client.end() }
}
