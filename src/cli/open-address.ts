import { existsSync } from 'node:fs'
import { isIdempotencyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'
import { redisStore } from '../stores/redis.ts'
import { sqliteStore } from '../stores/sqlite.ts'
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

/** With the driver of the application that runs this command: hapax brings none. */
async function openRedis(url: string): Promise<OpenedStore> {
  const { Redis } = await driver<{ Redis: RedisDriver }>('ioredis')
  const client = new Redis(url, { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new CommandFailure(`No Redis answers at ${withoutPassword(url)}: ${messageOf(error)}`)
  }
  const store = redisStore(client)
  return {
    store,
    async close() {
      await store.close()
      client.disconnect()
    },
  }
}

type RedisClient = Parameters<typeof redisStore>[0] & {
  on(event: 'error', listener: () => void): unknown
  connect(): Promise<unknown>
  disconnect(): void
}
type RedisDriver = new (url: string, options: object) => RedisClient

async function driver<T>(name: string): Promise<T> {
  try {
    // The user's own package: its types are not ours to import.
    return (await import(name)) as T
  } catch (error) {
    throw new CommandFailure(
      `This needs the package ${name}, which is not installed here: npm install ${name}`,
      {
        cause: error,
      },
    )
  }
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
