import { Redis } from 'ioredis'
import { Pool } from 'pg'
import type { Store } from '../../src/core/store.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

export interface OpenStore {
  readonly store: Store
  /** Closes what the store was given, which it never closes itself. */
  close(): void
}

/** The store that a URL names; each kind of store is one line here. */
export function storeOf(url: string): OpenStore {
  if (url === 'memory') return { store: memoryStore(), close: () => {} }
  if (url.startsWith('sqlite:')) return { store: sqliteStore(url.slice('sqlite:'.length)), close: () => {} }
  if (url.startsWith('redis:')) {
    const client = new Redis(url)
    return {
      store: redisStore(client, { silence: ['redis-not-persistent'] }),
      close: () => client.disconnect(),
    }
  }
  if (url.startsWith('postgres:')) {
    const address = new URL(url)
    const schema = address.searchParams.get('schema') ?? 'hapax'
    address.search = ''
    const pool = new Pool({ connectionString: address.href })
    return {
      store: postgresStore(pool, { schema, silence: ['postgres-forgets'] }),
      close: () => void pool.end(),
    }
  }
  throw new Error(`No store for ${url}`)
}
