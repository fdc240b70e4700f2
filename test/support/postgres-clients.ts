// The clients that the store is tested with.
import { Pool } from 'pg'
import postgres from 'postgres'
import type { PostgresClient } from '../../src/stores/postgres.ts'

export interface OpenPool {
  readonly client: PostgresClient
  close(): Promise<void>
}

export const pools: Readonly<Record<string, (url: string, max?: number) => OpenPool>> = {
  pg: (url, max = 10) => {
    const pool = new Pool({ connectionString: url, max })
    return { client: pool, close: () => pool.end() }
  },
  'postgres.js': (url, max = 10) => {
    const sql = postgres(url, { max, onnotice: () => {} })
    return { client: sql, close: () => sql.end({ timeout: 1 }) }
  },
}
