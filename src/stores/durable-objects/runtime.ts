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
  fetch(url: string, init: { method: string; body: Uint8Array }): Promise<ObjectReply>
}

export interface ObjectReply {
  readonly body: ReadableBytes | null
  arrayBuffer(): Promise<ArrayBuffer>
}

interface ReadableBytes {
  getReader(): BytesReader
}

export interface BytesReader {
  read(): Promise<{ readonly done: boolean }>
  cancel(): Promise<void>
}

/** What the runtime gives a Durable Object: `DurableObjectState` of a class with SQLite storage. */
export interface RecordsState {
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
