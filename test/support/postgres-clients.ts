// The clients that the store is tested with.
import { Pool } from 'pg'
import postgres from 'postgres'
import type { PostgresClient } from '../../src/stores/postgres.ts'

export interface OpenPool {
  readonly client: PostgresClient
  close(): Promise<void>
}

export interface PoolOptions {
  readonly max?: number
  /** Set as the driver's own docs ask for, where a pooler gives each transaction another connection. */
  readonly behindPooler?: boolean
}

export const pools: Readonly<Record<string, (url: string, options?: PoolOptions) => OpenPool>> = {
  pg: (url, { max = 10 } = {}) => {
    const pool = new Pool({ connectionString: url, max })
    return { client: pool, close: () => pool.end() }
  },
  'postgres.js': (url, { max = 10, behindPooler = false } = {}) => {
    const sql = postgres(url, { max, onnotice: () => {}, prepare: !behindPooler })
    return { client: sql, close: () => sql.end({ timeout: 1 }) }
  },
}
