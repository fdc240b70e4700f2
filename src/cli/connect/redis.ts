import type { RedisClient } from '../../stores/redis.ts'
import { CommandFailure } from '../failure.ts'
import { installedDriver, withoutPassword } from './driver.ts'

export interface RedisConnection {
  readonly client: RedisClient
  close(): void
}

/**
 * Connects with whichever library is installed.
 *
 * @param places Files beside which to look. Default: the user's own program, then hapax.
 * @throws CommandFailure
 */
export async function connectRedis(url: string, places?: readonly string[]): Promise<RedisConnection> {
  const driver = await installedDriver(['ioredis', 'redis'], places)
  if (driver === undefined) {
    throw new CommandFailure('Redis needs a client: run "npm install ioredis", or "npm install redis".')
  }
  const connect = driver.name === 'ioredis' ? connectIoredis : connectNodeRedis
  try {
    return await connect(driver.module, url)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandFailure(`Can't reach Redis at ${withoutPassword(url)} (with ${driver.name}): ${reason}`)
  }
}

const reconnectMs = 200

// What the two libraries export, as far as it is used here.

interface Ioredis {
  readonly Redis: new (url: string, options: object) => IoredisConnecting
}

type IoredisConnecting = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<void>
  disconnect(): void
}

async function connectIoredis(driver: object, url: string): Promise<RedisConnection> {
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
  return { client, close: () => client.disconnect() }
}

interface NodeRedis {
  createClient(options: object): NodeRedisConnecting
}

type NodeRedisConnecting = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

async function connectNodeRedis(driver: object, url: string): Promise<RedisConnection> {
  const { createClient } = driver as NodeRedis
  let isConnected = false
  const reconnectStrategy = () => isConnected && reconnectMs
  const client = createClient({ url, socket: { reconnectStrategy } })
  client.on('error', () => {})
  await client.connect()
  isConnected = true
  return { client, close: () => client.destroy() }
}
