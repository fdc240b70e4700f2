// The clients that the store is tested with, each on a single server or a cluster.
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { createClient, createCluster } from 'redis'
import { createClient as createClient5, createCluster as createCluster5 } from 'redis5'
import type { RedisClient } from '../../src/stores/redis.ts'

export interface OpenClient {
  readonly client: RedisClient
  close(): void
}

interface Address {
  readonly host: string
  readonly port: number
}

export type Opener = (nodes: readonly Address[]) => Promise<OpenClient>

const quickRetry = { retryStrategy: () => 100 }

export const singleClients: Readonly<Record<string, Opener>> = {
  'ioredis 6': async ([node]) => ioredisClient(new Redis({ ...node, ...quickRetry })),
  'node-redis 6': async ([node]) => nodeRedisClient(createClient(urlOf(node))),
  'ioredis 5': async ([node]) => ioredisClient(new Redis5({ ...node, ...quickRetry })),
  'node-redis 5': async ([node]) => nodeRedisClient(createClient5(urlOf(node))),
}

export const clusterClients: Readonly<Record<string, Opener>> = {
  'ioredis 6': async (nodes) => ioredisClient(new Cluster([...nodes])),
  'node-redis 6': async (nodes) => nodeRedisClient(createCluster({ rootNodes: nodes.map(urlOf) })),
  'ioredis 5': async (nodes) => ioredisClient(new Cluster5([...nodes])),
  'node-redis 5': async (nodes) => nodeRedisClient(createCluster5({ rootNodes: nodes.map(urlOf) })),
}

function urlOf(node: Address | undefined): { url: string } {
  return { url: `redis://${node?.host}:${node?.port}` }
}

type IoredisLike = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  disconnect(): void
}

export function ioredisClient(client: IoredisLike): OpenClient {
  client.on('error', () => {})
  return { client, close: () => client.disconnect() }
}

type NodeRedisLike = RedisClient & {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

export async function nodeRedisClient(client: NodeRedisLike): Promise<OpenClient> {
  client.on('error', () => {})
  await client.connect()
  return { client, close: () => client.destroy() }
}
