import { existsSync } from 'node:fs'
import { isIdempotencyError } from '../core/errors.ts'
import type { Store } from '../core/store.ts'
import { mysqlStore } from '../stores/mysql.ts'
import { postgresStore } from '../stores/postgres.ts'
import { redisStore } from '../stores/redis.ts'
import { sqliteStore } from '../stores/sqlite.ts'
import { connectMysql } from './connect/mysql.ts'
import { connectPostgres } from './connect/postgres.ts'
import { connectRedis } from './connect/redis.ts'
import { CommandFailure } from './failure.ts'

/** A store that a command opened, with the connection that it stands on. */
export interface OpenedStore {
  readonly store: Store
  close(): Promise<void>
}

export const addressForms = 'sqlite:FILE (or just FILE), redis://…, rediss://…, postgres://…, mysql://…'

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
    case 'postgres':
    case 'postgresql':
      return openPostgres(address)
    case 'mysql':
    case 'mariadb':
      return openMysql(address.replace(/^mariadb:/i, 'mysql:'))
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

/** `?schema=` names the schema of the tables, which must be there: an operator makes none by a typing mistake. */
async function openPostgres(text: string): Promise<OpenedStore> {
  if (!URL.canParse(text))
    throw new CommandFailure(`${text} is no address of a Postgres: postgres://user@host/database`)
  const url = new URL(text)
  const schema = url.searchParams.get('schema') ?? 'hapax'
  url.searchParams.delete('schema')
  const { client, close } = await connectPostgres(url.href)
  const store = postgresStore(client, {
    schema,
    migrate: false,
    watch: 'poll',
    silence: ['postgres-forgets'],
  })
  return {
    store,
    async close() {
      await store.close()
      await close()
    },
  }
}

/** The tables must be there: an operator makes none by a typing mistake. */
async function openMysql(url: string): Promise<OpenedStore> {
  if (!URL.canParse(url))
    throw new CommandFailure(`${url} is no address of a MySQL: mysql://user@host/database`)
  const { pool, close } = await connectMysql(url)
  const store = mysqlStore(pool, { migrate: false })
  return {
    store,
    async close() {
      await store.close()
      await close()
    },
  }
}
