import { type IdempotencyError, invalidOption } from '../../core/errors.ts'
import type { RedisClient, RedisCommand } from './clients.ts'
import { ioredisClusterConnection, ioredisConnection, isIoredis, isIoredisCluster } from './ioredis.ts'
import {
  isNodeRedisClient,
  isNodeRedisCluster,
  isNodeRedisSentinel,
  nodeRedisClusterConnection,
  nodeRedisConnection,
  nodeRedisSentinelConnection,
} from './node-redis.ts'

/** A client as the store sees it, whichever library it is from. Byte strings in replies are Buffers. */
export interface Connection {
  /** What the client itself puts in front of each key of a script. */
  readonly keyPrefix: string
  /** False while the client would only queue a command for that key, to send it who knows when. */
  isReady(key: string): boolean
  send(key: string, command: RedisCommand): Promise<unknown>
  /** Called while the client is not ready for a key: makes it look whether another node has taken over. */
  lookAround?(key: string): void
  /** Sends all at once, in one pipeline for each node; each command settles on its own. */
  sendAll(batch: readonly KeyedCommand[]): Promise<Array<PromiseSettledResult<unknown>>>
  /** Sends a command without a key on the connection that `key` is written through. */
  sendBeside(key: string, command: RedisCommand): Promise<unknown>
  /** Every server that holds keys of its own, in a stable order. */
  masters(): Promise<readonly MasterNode[]>
  /** `lost` is called when the subscriber will not come back by itself. */
  openSubscriber(lost: () => void): Promise<Subscriber>
}

export interface KeyedCommand {
  readonly key: string
  readonly command: RedisCommand
}

export interface MasterNode {
  readonly id: string
  send(command: RedisCommand): Promise<unknown>
}

export interface Subscriber {
  subscribe(channel: string, listener: () => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  close(): void
}

/** Tells the client by what it can do: `instanceof` fails where two copies of a library are installed. */
export function connectionOf(client: RedisClient): Connection {
  if (typeof client !== 'object' || client === null) throw notAClient(client)
  if (isIoredisCluster(client)) return ioredisClusterConnection(client)
  if (isIoredis(client)) return ioredisConnection(client)
  if (isNodeRedisSentinel(client)) return nodeRedisSentinelConnection(client)
  if (isNodeRedisCluster(client)) return nodeRedisClusterConnection(client)
  if (isNodeRedisClient(client)) return nodeRedisConnection(client)
  throw notAClient(client)
}

function notAClient(client: unknown): IdempotencyError {
  return invalidOption(
    'client',
    'a client of ioredis (Redis or Cluster) or node-redis (createClient, createCluster or createSentinel)',
    client,
  )
}
