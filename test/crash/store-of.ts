import { Redis } from 'ioredis'
import type { Store } from '../../src/core/store.ts'
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
  throw new Error(`No store for ${url}`)
}
