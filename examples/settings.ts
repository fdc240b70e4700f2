// What the examples of the frameworks share: the settings they read, and how they begin and end.
import { memoryStore, type Store } from 'hapax'
import { postgresStore } from 'hapax/postgres'
import { redisStore } from 'hapax/redis'
import { sqliteStore } from 'hapax/sqlite'
import { Redis } from 'ioredis'
import { Pool } from 'pg'

export interface Settings {
  readonly port: number
  readonly store: Store
  /** Ends the connection that the store was given, which the store itself never ends. */
  disconnect(): Promise<void>
}

/** From PORT (default 3000; 0 takes a free one) and STORE (default memory). Ends the program where they are wrong. */
export async function readSettings({ PORT = '3000', STORE = 'memory' } = process.env): Promise<Settings> {
  // Such as a port that is taken: whichever framework finds it out.
  process.once('uncaughtException', (error) => fail(error.message))
  const port = Number(PORT)
  if (!/^\d{1,5}$/.test(PORT) || port > 65_535) fail(`PORT is ${PORT}; give a number from 0 to 65535.`)
  return { port, ...(await openStore(STORE)) }
}

/** Says where the server listens, and calls `close` on Ctrl-C or SIGTERM. */
export function serving(port: number, close: () => Promise<unknown>): void {
  process.stdout.write(`Listening on http://127.0.0.1:${port}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
}

/** The port that was free, where PORT is 0. */
export function portOf(server: { address(): unknown }): number {
  const address = server.address()
  if (typeof address === 'object' && address !== null && 'port' in address) return Number(address.port)
  throw new Error('The server does not listen on a port.')
}

/** Resolves when the last request is answered. */
export function closed(server: { close(done: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

type Opened = Omit<Settings, 'port'>

async function openStore(address: string): Promise<Opened> {
  try {
    if (address === 'memory') return { store: memoryStore(), disconnect: async () => {} }
    if (/^sqlite:./.test(address)) return openSqlite(address.slice('sqlite:'.length))
    if (/^rediss?:\/\/./.test(address)) return await openRedis(address)
    if (/^postgres(ql)?:\/\/./.test(address)) return await openPostgres(address)
  } catch (error) {
    fail(`STORE: ${withoutPassword(address)} can not be opened: ${reasonOf(error)}`)
  }
  return fail(
    `STORE is ${withoutPassword(address)}; give memory, sqlite:FILE, redis://host:port or postgres://user@host/database.`,
  )
}

function openSqlite(file: string): Opened {
  return { store: sqliteStore(file), disconnect: async () => {} }
}

async function openRedis(url: string): Promise<Opened> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  // Why it can't connect is told here, and not by what connect() rejects with.
  let reason: unknown
  client.on('error', (error) => {
    reason = error
  })
  await client.connect().catch((error: unknown) => {
    throw reason ?? error
  })
  client.options.retryStrategy = (times) => Math.min(times * 50, 2_000)
  return { store: redisStore(client), disconnect: async () => client.disconnect() }
}

async function openPostgres(url: string): Promise<Opened> {
  const pool = new Pool({ connectionString: url, connectionTimeoutMillis: 5_000 })
  await pool.query('SELECT 1')
  return { store: postgresStore(pool), disconnect: async () => pool.end() }
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}

function withoutPassword(address: string): string {
  return address.replace(/(?<=:\/\/[^/@]*:)[^/@]*(?=@)/, '***')
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
