import type {
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisEmitter,
  NodeRedisMaster,
  NodeRedisNode,
  NodeRedisSentinel,
  NodeRedisSubscribing,
  RedisClient,
  RedisCommand,
} from './clients.ts'
import type { Connection, KeyedCommand, MasterNode, Subscriber } from './connection.ts'
import { keySlot } from './key-slot.ts'

export function isNodeRedisClient(client: RedisClient): client is NodeRedisClient {
  return 'sendCommand' in client && 'isReady' in client && 'duplicate' in client
}

export function isNodeRedisCluster(client: RedisClient): client is NodeRedisCluster {
  return 'sendCommand' in client && 'masters' in client && 'slots' in client
}

export function isNodeRedisSentinel(client: RedisClient): client is NodeRedisSentinel {
  return 'sendCommand' in client && 'getMasterNode' in client
}

// Byte strings as Buffers: in node-redis a type is named by its byte in the protocol, and 36 is '$'.
const asBuffers = { typeMapping: { 36: Buffer } }

// node-redis writes all commands of one turn together: what it is given at once is a pipeline.

export function nodeRedisConnection(client: NodeRedisClient): Connection {
  surviveErrors(client)
  const send = (command: RedisCommand) => client.sendCommand(command, asBuffers)
  return {
    keyPrefix: '',
    isReady: () => client.isReady || !client.isOpen,
    send: (_key, command) => send(command),
    sendAll: (batch) => settleAll(batch, ({ command }) => send(command)),
    sendBeside: (_key, command) => send(command),
    masters: async () => [{ id: 'single', send }],
    openSubscriber: async () => {
      const duplicate = client.duplicate()
      duplicate.on('error', () => {})
      await duplicate.connect()
      return subscriberOf(duplicate, () => duplicate.destroy())
    },
  }
}

export function nodeRedisSentinelConnection(sentinel: NodeRedisSentinel): Connection {
  surviveErrors(sentinel)
  const send = (command: RedisCommand) => sentinel.sendCommand(false, [...command], asBuffers)
  return {
    keyPrefix: '',
    isReady: () => sentinel.isReady || !sentinel.isOpen,
    send: (_key, command) => send(command),
    sendAll: (batch) => settleAll(batch, ({ command }) => send(command)),
    sendBeside: (_key, command) => send(command),
    masters: async () => [{ id: 'single', send }],
    openSubscriber: async () => subscriberOf(sentinel, () => {}),
  }
}

export function nodeRedisClusterConnection(cluster: NodeRedisCluster): Connection {
  surviveErrors(cluster)
  const send = (key: string, command: RedisCommand) =>
    cluster.sendCommand(key, false, [...command], asBuffers)
  return {
    keyPrefix: '',
    isReady: (key) => !cluster.isOpen || nodeIsReady(cluster.slots[keySlot(key)]?.master),
    send,
    lookAround: lookAroundIn(cluster),
    sendAll: (batch) => settleAll(batch, ({ key, command }) => send(key, command)),
    sendBeside: async (key, command) => {
      const client = await cluster.slots[keySlot(key)]?.master.client
      if (client === undefined) throw new Error('The node of this key is not connected.')
      return client.sendCommand(command, asBuffers)
    },
    masters: async () => {
      const nodes = await Promise.all(cluster.masters.map(masterNode))
      return nodes.filter((node) => node !== undefined).toSorted((a, b) => (a.id < b.id ? -1 : 1))
    },
    openSubscriber: async () => subscriberOf(cluster, () => {}),
  }
}

/**
 * Without a listener, a lost connection is an uncaught 'error' event, and ends the process with all its requests.
 * The requests that meet it are answered 503, and the engine's events tell of it.
 */
function surviveErrors(client: NodeRedisEmitter): void {
  if (client.listenerCount('error') === 0) client.on('error', () => {})
}

function settleAll(
  batch: readonly KeyedCommand[],
  send: (command: KeyedCommand) => Promise<unknown>,
): Promise<Array<PromiseSettledResult<unknown>>> {
  return Promise.allSettled(batch.map(send))
}

/** A node that was not needed yet has no client, and gets one with its first command. */
function nodeIsReady(master: NodeRedisMaster | undefined): boolean {
  const client = master?.client
  return client === undefined || client instanceof Promise || client.isReady
}

const lookAroundEveryMs = 250

/**
 * node-redis asks for the cluster's slots again when a node sends it elsewhere, but not when a node is lost
 * (release 6: five seconds later). So a node that lives is asked for the key, and tells who has it now. The
 * command must be one that release 6 sends where it is told to, whatever the slot of its key.
 */
function lookAroundIn(cluster: NodeRedisCluster): (key: string) => void {
  let nextAtMs = 0
  return (key) => {
    if (performance.now() < nextAtMs) return
    nextAtMs = performance.now() + lookAroundEveryMs
    const elsewhere = keyOfReadyNode(cluster)
    if (elsewhere !== undefined) cluster.sendCommand(elsewhere, false, ['PTTL', key]).catch(() => {})
  }
}

function keyOfReadyNode(cluster: NodeRedisCluster): string | undefined {
  // Each node has many slots, so a few names are enough to meet each of them.
  const names = Array.from({ length: 200 }, (_, index) => String(index))
  return names.find((name) => {
    const client = cluster.slots[keySlot(name)]?.master.client
    return client !== undefined && !(client instanceof Promise) && client.isReady
  })
}

async function masterNode(master: NodeRedisMaster): Promise<MasterNode | undefined> {
  const client: NodeRedisNode | undefined = await master.client
  if (client === undefined) return undefined
  return { id: master.address, send: (command) => client.sendCommand(command, asBuffers) }
}

/** node-redis subscribes again by itself after a reconnect, and on another node of a cluster. */
function subscriberOf(client: NodeRedisSubscribing, close: () => void): Subscriber {
  const listeners = new Map<string, () => void>()
  return {
    subscribe: async (channel, listener) => {
      listeners.set(channel, listener)
      await client.subscribe(channel, listener)
    },
    unsubscribe: async (channel) => {
      const listener = listeners.get(channel)
      listeners.delete(channel)
      if (listener !== undefined) await client.unsubscribe(channel, listener)
    },
    close: () => {
      for (const [channel, listener] of listeners) client.unsubscribe(channel, listener).catch(() => {})
      listeners.clear()
      close()
    },
  }
}
