import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import type { Store } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { startPostgres, startRedis } from '../services/index.ts'
import type { StoreName } from './table.ts'

/** Real stores for the contract: each call of one makes a place without records. */
export interface Places {
  readonly create: Readonly<Record<StoreName, () => Store>>
  close(): Promise<void>
}

export async function startPlaces(): Promise<Places> {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  const client = new Redis(redis.url)
  const pool = new Pool({ connectionString: postgres.url, max: 40 })
  const folder = mkdtempSync(join(tmpdir(), 'hapax-adapters-'))
  const fresh = (): string => randomUUID().replaceAll('-', '')
  return {
    create: {
      memory: () => memoryStore(),
      SQLite: () => sqliteStore(join(folder, `${fresh()}.db`)),
      Redis: () => redisStore(client, { prefix: `${fresh()}:`, silence: ['redis-not-persistent'] }),
      Postgres: () => postgresStore(pool, { schema: `a${fresh()}`, silence: ['postgres-forgets'] }),
    },
    async close() {
      client.disconnect()
      await pool.end()
      await Promise.all([redis.stop(), postgres.stop()])
      rmSync(folder, { recursive: true })
    },
  }
}
