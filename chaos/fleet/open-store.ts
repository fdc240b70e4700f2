import { Cluster, Redis } from 'ioredis'
import { Pool } from 'pg'
import type { Store } from '../../src/core/store.ts'
import type { Release } from './release.ts'

export interface OpenStore {
  readonly store: Store
  /** Takes every connection that the server may have, as a slow report in the same process would. */
  holdConnections(forMs: number): Promise<void>
  /** Closes what the store was given, which it never closes itself. */
  close(): unknown
}

const held = { holdConnections: async () => {} }
const redisOptions = { silence: ['redis-not-persistent', 'redis-evicts'] } as const
// The settings that docs/redis.md asks for.
const connecting = { retryStrategy: () => 100, socketTimeout: 1_000, connectTimeout: 1_000 }
const waitReplicas = { count: 1, timeout: 500 }

/** The store that an address names: `memory`, `sqlite:FILE`, `redis:`, `sentinel:`, `cluster:` or `postgres:` URLs. */
export async function openStore(release: Release, address: string): Promise<OpenStore> {
  const [kind, rest] = split(address)
  switch (kind) {
    case 'memory':
      return { store: release.memoryStore(), close: () => {}, ...held }
    case 'sqlite':
      return { store: release.sqliteStore(rest), close: () => {}, ...held }
    case 'redis':
      return onRedis(release, new Redis(address, connecting))
    case 'sentinel': {
      const sentinels = rest.split(',').map(hostAndPort)
      const client = new Redis({
        ...connecting,
        sentinels,
        name: 'hapax',
        sentinelRetryStrategy: () => 100,
      })
      return onRedis(release, client, { waitReplicas })
    }
    case 'cluster': {
      const client = new Cluster(rest.split(',').map(hostAndPort), {
        clusterRetryStrategy: () => 100,
        redisOptions: { connectTimeout: 1_000, socketTimeout: 1_000 },
      })
      return onRedis(release, client, { waitReplicas })
    }
    case 'postgres':
      return onPostgres(release, address)
    default:
      throw new Error(`No store for ${address}`)
  }
}

function onRedis(release: Release, client: Redis | Cluster, options: object = {}): OpenStore {
  client.on('error', () => {})
  return {
    store: release.redisStore(client, { ...redisOptions, ...options }),
    close: () => client.disconnect(),
    ...held,
  }
}

function onPostgres(release: Release, connectionString: string): OpenStore {
  const pool = new Pool({ connectionString, connectionTimeoutMillis: 1_000, max: 10 })
  pool.on('error', () => {})
  return {
    store: release.postgresStore(pool, { silence: ['postgres-forgets'], answerTimeout: '2s' }),
    close: () => pool.end(),
    holdConnections: async (forMs) => {
      const taken = await Promise.allSettled(
        Array.from({ length: 10 }, async () => {
          const client = await pool.connect()
          setTimeout(() => client.release(), forMs)
        }),
      )
      if (taken.every(({ status }) => status === 'rejected')) throw new Error('No connection could be held.')
    },
  }
}

function split(address: string): [string, string] {
  const colon = address.indexOf(':')
  return colon === -1 ? [address, ''] : [address.slice(0, colon), address.slice(colon + 1)]
}

function hostAndPort(text: string): { host: string; port: number } {
  const [host = '', port = ''] = text.split(':')
  return { host, port: Number(port) }
}
