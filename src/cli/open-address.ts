import { existsSync } from 'node:fs'
import { isIdempotencyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'
import { redisStore } from '../stores/redis.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { connectRedis } from './connect/redis.ts'
import { CommandFailure } from './failure.ts'

/** A store that a command opened, with the connection that it stands on. */
export interface OpenedStore {
  readonly store: Store
  close(): Promise<void>
}

export const addressForms = 'sqlite:FILE (or just FILE), redis://…, rediss://…'

/**
 * Opens a store that is there already, by its address.
 *
 * @throws CommandFailure with a sentence that says what to do.
 */
export async function openAddress(address: string): Promise<OpenedStore> {
  const scheme = /^([a-z][a-z\d+.-]+):/i.exec(address)?.[1]?.toLowerCase() ?? 'sqlite'
  switch (scheme) {
    case 'sqlite':
      return openSqlite(address.replace(/^sqlite:/i, ''))
    case 'redis':
    case 'rediss':
      return openRedis(address)
    default:
      throw new CommandFailure(`There is no store of the kind "${scheme}:". Give one of: ${addressForms}.`)
  }
}

/** Only a file that is there: a typing mistake must not become an empty database that says all is well. */
function openSqlite(file: string): OpenedStore {
  if (!existsSync(file)) throw new CommandFailure(`There is no file ${file}.`)
  try {
    const store = sqliteStore(file)
    return { store, close: () => store.close() }
  } catch (error) {
    if (!isIdempotencyError(error) || error.code !== 'sqlite-missing') throw error
    throw new CommandFailure(
      `The embedded SQLite store needs Node 22.13 or later, and this is Node ${process.version}.`,
    )
  }
}

async function openRedis(url: string): Promise<OpenedStore> {
  if (!URL.canParse(url)) throw new CommandFailure(`${url} is no address of a Redis: redis://host:port`)
  const { client, close } = await connectRedis(url)
  const store = redisStore(client, { silence: ['redis-evicts', 'redis-not-persistent'] })
  return {
    store,
    async close() {
      await store.close()
      close()
    },
  }
}
