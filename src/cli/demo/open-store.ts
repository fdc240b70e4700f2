import { isIdempotencyError } from '../../core/errors.ts'
import type { Store } from '../../core/store.ts'
import { memoryStore } from '../../stores/memory.ts'
import { redisStore } from '../../stores/redis.ts'
import { sqliteStore } from '../../stores/sqlite.ts'
import { CommandFailure } from '../failure.ts'
import { connectRedis } from '../connect/redis.ts'
import type { RedisAddress, StoreAddress } from './store-address.ts'

export async function openStore(address: StoreAddress): Promise<Store> {
  switch (address.kind) {
    case 'memory':
      return memoryStore()
    case 'sqlite':
      return openSqlite(address.file)
    case 'redis':
      return openRedis(address)
  }
}

/** A Redis to try things on need not be one for money. */
const demoSilence = ['redis-evicts', 'redis-not-persistent'] as const

async function openRedis({ url, prefix }: RedisAddress): Promise<Store> {
  const { client } = await connectRedis(url)
  return redisStore(client, { prefix, silence: demoSilence })
}

function openSqlite(file: string): Store {
  try {
    return sqliteStore(file)
  } catch (error) {
    if (!isIdempotencyError(error) || error.code !== 'sqlite-missing') throw error
    throw new CommandFailure(
      `The embedded SQLite store needs Node 22.13 or later, and this is Node ${process.version}; --store memory works here too.`,
    )
  }
}
