// Every store, real, and all the bytes in which it keeps its records.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { startPostgres, startRedis } from '../../scripts/services/index.ts'
import type { Store } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

export interface LegibleStore {
  readonly store: Store
  /** Everything that lies there, one character for each byte. */
  everything(): Promise<string>
  close(): Promise<void>
}

export const legibleStores: Readonly<Record<string, () => Promise<LegibleStore>>> = {
  memory: async () => {
    const store = memoryStore()
    // Its table can't be reached from outside: what operators see is all that a record holds.
    const everything = async () => {
      const page = await store.inspect?.list({ limit: 1_000 })
      return inspect(
        page?.records.map((found) => {
          if (!('record' in found) || found.record.state !== 'completed') return found
          const { response } = found.record
          return [found, response.kind === 'kept' ? Buffer.from(response.body).toString('latin1') : '']
        }),
        { depth: null, maxStringLength: null, breakLength: Number.POSITIVE_INFINITY },
      )
    }
    return { store, everything, close: () => store.close() }
  },
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hapax-security-'))
    const store = sqliteStore(join(folder, 'keys.db'))
    return {
      store,
      everything: async () =>
        readdirSync(folder)
          .map((name) => readFileSync(join(folder, name), 'latin1'))
          .join('\n'),
      close: async () => {
        await store.close()
        rmSync(folder, { recursive: true })
      },
    }
  },
  redis: async () => {
    const server = await startRedis()
    const client = new Redis(server.url)
    const prefix = `security-${randomUUID()}:`
    const store = redisStore(client, { prefix, silence: ['redis-not-persistent', 'redis-evicts'] })
    return {
      store,
      everything: async () => {
        const keys = await client.keys(`${prefix}*`)
        const values = await Promise.all(keys.map((key) => client.getBuffer(key)))
        return [...keys, ...values.map((value) => value?.toString('latin1'))].join('\n')
      },
      close: async () => {
        await store.close()
        client.disconnect()
        await server.stop()
      },
    }
  },
  postgres: async () => {
    const server = await startPostgres()
    const pool = new Pool({ connectionString: server.url, max: 3 })
    const schema = `security ${randomUUID()}`
    const store = postgresStore(pool, { schema, silence: ['postgres-forgets'] })
    return {
      store,
      everything: async () => {
        const { rows } = await pool.query(
          `SELECT r::text, encode(body, 'escape') AS body FROM "${schema}".hapax_record r`,
        )
        return JSON.stringify(rows)
      },
      close: async () => {
        await store.close()
        await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
        await pool.end()
        await server.stop()
      },
    }
  },
}
