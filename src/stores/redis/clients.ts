// What the store needs of a client, in the clients' own words. No driver is imported: the user brings one.

export type RedisArgument = string | Buffer

/** A command's name, and its arguments. */
export type RedisCommand = readonly [name: string, ...args: RedisArgument[]]

/** `Redis` of ioredis 5 or 6, on a single server or behind Sentinel. */
export interface IoredisClient {
  readonly isCluster: boolean
  readonly status: string
  readonly options: object
  readonly stream?: IoredisStream | null
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  pipeline(): IoredisPipeline
  duplicate(override?: Partial<IoredisSubscriberOptions>): IoredisSubscriber
}

/** The connection's own stream, which is there while it lives. */
export interface IoredisStream {
  cork(): void
  uncork(): void
}

export interface IoredisPipeline {
  callBuffer(command: string, ...args: RedisArgument[]): unknown
  exec(): Promise<Array<[error: Error | null, result: unknown]> | null>
}

/** `Cluster` of ioredis 5 or 6. */
export interface IoredisCluster {
  readonly isCluster: boolean
  readonly status: string
  readonly options: object
  readonly slots: string[][]
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  nodes(role?: 'master'): IoredisNode[]
}

export interface IoredisNode {
  readonly options: object
  readonly stream?: IoredisStream | null
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  duplicate(override?: Partial<IoredisSubscriberOptions>): IoredisSubscriber
}

export interface IoredisSubscriberOptions {
  keyPrefix: string
  lazyConnect: boolean
  maxRetriesPerRequest: null
  enableOfflineQueue: boolean
  autoResubscribe: boolean
  retryStrategy: () => null
}

export interface IoredisSubscriber {
  on(event: 'messageBuffer', listener: (channel: Buffer, message: Buffer) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  subscribe(...channels: string[]): Promise<unknown>
  unsubscribe(...channels: string[]): Promise<unknown>
  disconnect(): void
}

export interface NodeRedisEmitter {
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

/** The client of `createClient` in node-redis 5 or 6. */
export interface NodeRedisClient extends NodeRedisEmitter {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(args: readonly RedisArgument[], options?: NodeRedisCommandOptions): Promise<unknown>
  duplicate(): NodeRedisSubscriber
}

/** The client of `createCluster` in node-redis 5 or 6. */
export interface NodeRedisCluster extends NodeRedisSubscribing, NodeRedisEmitter {
  readonly isOpen: boolean
  readonly masters: readonly NodeRedisMaster[]
  readonly slots: ReadonlyArray<{ readonly master: NodeRedisMaster }>
  sendCommand(
    firstKey: RedisArgument | undefined,
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: NodeRedisCommandOptions,
  ): Promise<unknown>
}

export interface NodeRedisMaster {
  readonly address: string
  /** Connects at its first use. */
  readonly client?: NodeRedisNode | Promise<NodeRedisNode> | undefined
}

/** The client of `createSentinel` in node-redis 5 or 6. */
export interface NodeRedisSentinel extends NodeRedisSubscribing, NodeRedisEmitter {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(
    isReadonly: boolean | undefined,
    args: RedisArgument[],
    options?: NodeRedisCommandOptions,
  ): Promise<unknown>
  getMasterNode(): unknown
}

export interface NodeRedisNode {
  readonly isReady: boolean
  sendCommand(args: readonly RedisArgument[], options?: NodeRedisCommandOptions): Promise<unknown>
}

export interface NodeRedisCommandOptions {
  readonly typeMapping: Record<number, unknown>
}

export interface NodeRedisSubscribing {
  subscribe(channels: string | string[], listener: () => void): Promise<unknown>
  unsubscribe(channels: string | string[], listener: () => void): Promise<unknown>
}

export interface NodeRedisSubscriber extends NodeRedisSubscribing {
  on(event: 'error', listener: (error: Error) => void): unknown
  connect(): Promise<unknown>
  destroy(): void
}

/** Any client that `redisStore` takes. */
export type RedisClient =
  | IoredisClient
  | IoredisCluster
  | NodeRedisClient
  | NodeRedisCluster
  | NodeRedisSentinel
