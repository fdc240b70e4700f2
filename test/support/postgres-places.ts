import { randomUUID } from 'node:crypto'
import { Pool, type PoolConfig } from 'pg'
import { afterAll } from 'vitest'

export interface PostgresPlace {
  readonly pool: Pool
  /** Of this place alone, and dropped after the file. */
  readonly schema: string
}

/** A pool on the server and a schema for a file of tests. */
export function placeOf(url: string, config: PoolConfig = {}): PostgresPlace {
  const pool = new Pool({ connectionString: url, ...config })
  pool.on('error', () => {})
  const schema = `test ${randomUUID()}`
  afterAll(async () => {
    await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`).catch(() => {})
    await pool.end()
  })
  return { pool, schema }
}
