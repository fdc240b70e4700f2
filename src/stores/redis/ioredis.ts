import type {
  IoredisClient,
  IoredisCluster,
  IoredisNode,
  IoredisStream,
  IoredisSubscriber,
  RedisClient,
  RedisCommand,
} from './clients.ts'
import type { Connection, KeyedCommand, MasterNode, Subscriber } from './connection.ts'
import { keySlot } from './key-slot.ts'

export function isIoredis(client: RedisClient): client is IoredisClient {
  return 'callBuffer' in client && 'pipeline' in client && !client.isCluster
}

export function isIoredisCluster(client: RedisClient): client is IoredisCluster {
  return 'callBuffer' in client && 'slots' in client && client.isCluster
}

export function ioredisConnection(client: IoredisClient): Connection {
  const gatherWrites = gathering(() => [client])
  return {
    keyPrefix: keyPrefixOf(client.options),
    isReady: () => isReady(client.status),
    send: (_key, command) => {
      gatherWrites()
      return call(client, command)
    },
    sendAll: (batch) => sendPipeline(client, batch),
    sendBeside: (_key, command) => call(client, command),
    masters: async () => [{ id: 'single', send: (command) => call(client, command) }],
    openSubscriber: async (lost) => subscriberOf(() => client.duplicate(subscriberOptions), lost),
  }
}

export function ioredisClusterConnection(cluster: IoredisCluster): Connection {
  const gatherWrites = gathering(() => cluster.nodes('master'))
  const send = (command: RedisCommand) => {
    gatherWrites()
    return call(cluster, command)
  }
  return {
    keyPrefix: keyPrefixOf(cluster.options),
    isReady: () => isReady(cluster.status),
    send: (_key, command) => send(command),
    // Commands of one turn go out together on each node's connection: a pipeline in all but name. A real one
    // would send the whole batch again when one of its slots has moved.
    sendAll: (batch) => Promise.allSettled(batch.map(({ command }) => send(command))),
    sendBeside: (key, command) => call(masterOf(cluster, key), command),
    masters: async () => cluster.nodes('master').map(masterNode).toSorted(byId),
    openSubscriber: async (lost) => subscriberOf(() => anyMaster(cluster).duplicate(subscriberOptions), lost),
  }
}

// 'wait': the first command opens the connection. 'end': the command is refused at once, with a reason.
function isReady(status: string): boolean {
  return status === 'ready' || status === 'wait' || status === 'end'
}

/**
 * Lets the commands of one turn of the event loop leave in one write, as node-redis does by itself: the system
 * call is most of what a command costs this process.
 */
function gathering(nodes: () => ReadonlyArray<{ readonly stream?: IoredisStream | null }>): () => void {
  let isGathering = false
  return () => {
    if (isGathering) return
    isGathering = true
    const streams = nodes().map(({ stream }) => stream)
    for (const stream of streams) stream?.cork()
    afterThisTurn(() => {
      isGathering = false
      for (const stream of streams) stream?.uncork()
    })
  }
}

// As it was at the start: a test that replaces the timers of its process must not hold commands back.
const afterThisTurn = setImmediate

type Caller = Pick<IoredisNode, 'callBuffer'>

function call(client: Caller, command: RedisCommand): Promise<unknown> {
  return client.callBuffer(...command)
}

async function sendPipeline(
  client: IoredisClient,
  batch: readonly KeyedCommand[],
): Promise<Array<PromiseSettledResult<unknown>>> {
  const pipeline = client.pipeline()
  for (const { command } of batch) pipeline.callBuffer(...command)
  const replies = (await pipeline.exec()) ?? []
  return batch.map((_, index) => {
    const [error, value] = replies[index] ?? [new Error('The pipeline was not answered.'), undefined]
    return error === null ? { status: 'fulfilled', value } : { status: 'rejected', reason: error }
  })
}

/** A prefix may be bytes in newer releases. */
function keyPrefixOf(options: object): string {
  const prefix: unknown = Reflect.get(options, 'keyPrefix')
  return typeof prefix === 'string' || Buffer.isBuffer(prefix) ? prefix.toString() : ''
}

function masterOf(cluster: IoredisCluster, key: string): IoredisNode {
  const [address] = cluster.slots[keySlot(keyPrefixOf(cluster.options) + key)] ?? []
  return cluster.nodes('master').find((node) => addressOf(node) === address) ?? anyMaster(cluster)
}

function anyMaster(cluster: IoredisCluster): IoredisNode {
  const masters = cluster.nodes('master')
  const master = masters[Math.floor(Math.random() * masters.length)]
  if (master === undefined) throw new Error('The cluster has no master that is known.')
  return master
}

function addressOf(node: IoredisNode): string {
  return `${String(Reflect.get(node.options, 'host'))}:${String(Reflect.get(node.options, 'port'))}`
}

function masterNode(node: IoredisNode): MasterNode {
  return { id: addressOf(node), send: (command) => call(node, command) }
}

function byId(a: MasterNode, b: MasterNode): number {
  return a.id < b.id ? -1 : 1
}

// A subscriber that is lost is replaced, maybe by one of another node, so it need not come back by itself.
const subscriberOptions = {
  keyPrefix: '',
  lazyConnect: false,
  maxRetriesPerRequest: null,
  enableOfflineQueue: true,
  autoResubscribe: false,
  retryStrategy: () => null,
}

function subscriberOf(open: () => IoredisSubscriber, lost: () => void): Subscriber {
  const client = open()
  const listeners = new Map<string, () => void>()
  let closed = false
  client.on('error', () => {})
  client.on('end', () => {
    if (!closed) lost()
  })
  client.on('messageBuffer', (channel) => listeners.get(channel.toString())?.())
  return {
    subscribe: async (channel, listener) => {
      listeners.set(channel, listener)
      await client.subscribe(channel)
    },
    unsubscribe: async (channel) => {
      listeners.delete(channel)
      await client.unsubscribe(channel)
    },
    close: () => {
      closed = true
      client.disconnect()
    },
  }
}
