// What the store needs of Cloudflare's runtime, in its own words: its types are not imported.
import { invalidOption } from '../../core/errors.ts'

/** A binding to a class of Durable Objects: `env.HAPAX`. */
export interface RecordsNamespace {
  idFromName(name: string): ObjectId
  get(id: ObjectId): ObjectStub
}

export interface ObjectId {
  toString(): string
}

export interface ObjectStub {
  fetch(
    url: string,
    init: { method: 'POST'; body: ArrayBuffer } | { headers: { Upgrade: 'websocket' } },
  ): Promise<ObjectReply>
}

export interface ObjectReply {
  arrayBuffer(): Promise<ArrayBuffer>
}

/** An end of a WebSocket, as the runtime has it. */
export interface Socket {
  accept(): void
  addEventListener(type: 'message' | 'close' | 'error', listener: () => void): void
  close(): void
}

/** What the runtime gives a Durable Object: `DurableObjectState` of a class with SQLite storage. */
export interface RecordsState {
  /** The object may sleep while the socket is open. */
  acceptWebSocket(socket: object, tags: string[]): void
  getWebSockets(tag?: string): { send(message: string): void }[]
  readonly storage: {
    readonly sql: Sql
    getAlarm(): Promise<number | null>
    setAlarm(atMs: number): Promise<void>
  }
}

/** Runs in the turn of its call. What it writes is on disk before any reply leaves the object. */
export interface Sql {
  exec(query: string, ...values: (string | number | null | Uint8Array)[]): { toArray(): unknown[] }
}

/** The two ends of a new WebSocket, which is no part of Node's types. */
export function socketPair(): readonly [client: object, server: object] {
  const Pair: unknown = Reflect.get(globalThis, 'WebSocketPair')
  const ends: object = Reflect.construct(Pair as new () => object, [])
  return [Reflect.get(ends, 0) as object, Reflect.get(ends, 1) as object]
}

/** The runtime adds it to its Response where an upgrade was granted. */
export function socketOf(reply: ObjectReply): Socket | undefined {
  return (Reflect.get(reply, 'webSocket') as Socket | null | undefined) ?? undefined
}

export function requireNamespace(namespace: RecordsNamespace): RecordsNamespace {
  const isObject = typeof namespace === 'object' && namespace !== null
  const has = (name: string) => isObject && typeof Reflect.get(namespace, name) === 'function'
  if (['idFromName', 'get'].every(has)) return namespace
  throw invalidOption(
    'namespace',
    'a binding to the class HapaxRecords, such as env.HAPAX: name it under durable_objects in the Worker’s configuration',
    namespace,
  )
}
