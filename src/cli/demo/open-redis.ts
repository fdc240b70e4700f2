import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { RedisClient } from '../../stores/redis.ts'
import { CommandFailure } from '../failure.ts'
import { withoutPassword } from './store-address.ts'

/**
 * Connects with whichever library is installed: beside the user's own program, else beside hapax.
 *
 * @param places Files beside which to look.
 */
export async function openRedis(
  url: string,
  places: readonly string[] = [join(process.cwd(), 'any.js'), fileURLToPath(import.meta.url)],
): Promise<RedisClient> {
  const driver = await installedDriver(places)
  if (driver === undefined) {
    throw new CommandFailure(
      '--redis needs a Redis client: run "npm install ioredis", or "npm install redis".',
    )
  }
  try {
    return await driver.connect(url)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandFailure(`Can't reach Redis at ${withoutPassword(url)} (with ${driver.name}): ${reason}`)
  }
}

interface InstalledDriver {
  readonly name: string
  connect(url: string): Promise<RedisClient>
}

const connectors = { ioredis: connectIoredis, redis: connectNodeRedis }
const reconnectMs = 200

async function installedDriver(places: readonly string[]): Promise<InstalledDriver | undefined> {
  for (const place of places) {
    for (const [name, connect] of Object.entries(connectors)) {
      const path = resolved(name, place)
      if (path === undefined) continue
      const driver = (await import(pathToFileURL(path).href)) as object
      return { name, connect: (url) => connect(driver, url) }
    }
  }
  return undefined
}

function resolved(name: string, place: string): string | undefined {
  try {
    return createRequire(place).resolve(name)
  } catch {
    return undefined
  }
}

// What the two libraries export, as far as it is used here.

interface Ioredis {
  readonly Redis: new (url: string, options: object) => IoredisConnecting
}

type IoredisConnecting = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<void>
}

async function connectIoredis(driver: object, url: string): Promise<RedisClient> {
  const { Redis } = driver as Ioredis
  let isConnected = false
  let lastError: Error | undefined
  // A wrong address fails at once; a server that goes away later is waited for.
  const retryStrategy = () => (isConnected ? reconnectMs : null)
  const client = new Redis(url, { lazyConnect: true, retryStrategy })
  client.on('error', (error) => (lastError = error))
  await client.connect().catch((error: unknown) => {
    throw lastError ?? error
  })
  isConnected = true
  return client
}

interface NodeRedis {
  createClient(options: object): NodeRedisConnecting
}

type NodeRedisConnecting = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<unknown>
}

async function connectNodeRedis(driver: object, url: string): Promise<RedisClient> {
  const { createClient } = driver as NodeRedis
  let isConnected = false
  const reconnectStrategy = () => isConnected && reconnectMs
  const client = createClient({ url, socket: { reconnectStrategy } })
  client.on('error', () => {})
  await client.connect()
  isConnected = true
  return client
}
