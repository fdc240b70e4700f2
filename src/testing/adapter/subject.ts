import assert from 'node:assert/strict'
import type { Store } from '../../core/store.ts'
import type { HttpOptions } from '../../http/options.ts'
import type { RequestIdempotency } from '../../http/request-idempotency.ts'
import { exchange, type RawAnswer } from './raw-http.ts'

/** What the contract's options and handlers need of a framework's request. */
export interface HeaderReader {
  header(name: string): string | undefined
}

/** A request as the contract's handlers see it. */
export interface AdapterRequest extends HeaderReader {
  /** What hapax put on the request. `undefined` where the request is not guarded. */
  readonly idempotency: RequestIdempotency
  /** The whole body, as a parser behind hapax reads it. */
  body(): Promise<Buffer>
}

type Headers = ReadonlyArray<readonly [name: string, value: string]>

/** What a handler answers; the subject says it in the words of its framework. */
export type AdapterAnswer =
  | { readonly kind: 'json'; readonly status: number; readonly headers?: Headers; readonly value: unknown }
  | { readonly kind: 'bytes'; readonly status: number; readonly headers?: Headers; readonly body: Uint8Array }
  | {
      readonly kind: 'stream'
      readonly status: number
      readonly headers?: Headers
      readonly chunks: () => AsyncIterable<Uint8Array>
    }
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Headers }

/** Throws for a handler that fails: the framework's own error handling answers. */
export type AdapterHandler = (request: AdapterRequest) => AdapterAnswer | Promise<AdapterAnswer>

/** Options that every adapter takes, with the contract's own view of a request. */
export type AdapterOptions = HttpOptions<HeaderReader>

/** An adapter to be held to the contract. */
export interface AdapterSubject {
  readonly name: string
  /** What the platform can't do, by nature and not by the adapter's choice, and why. Its cases are left out. */
  readonly lacks?: Partial<Record<AdapterNeed, string>>
  /**
   * Serves `handler` for every method and path on a free port of 127.0.0.1, guarded with `options`, and mounted
   * wrongly where `mount` says so.
   */
  start(options: AdapterOptions, handler: AdapterHandler, mount?: AdapterMount): Promise<AdapterServer>
  /** A store without records for each case. Default: `memoryStore()`. */
  createStore?(): Store
}

/** Mistakes that a case wants made. */
export interface AdapterMount {
  /** Two middlewares, each with the options, guard the handler. */
  readonly twice?: boolean
  /** Something before the adapter writes a first byte of the answer, and passes the request on. */
  readonly begun?: boolean
}

export interface AdapterServer {
  readonly port: number
  /** Stops listening and resolves when the last connection has closed by itself. */
  drained(): Promise<void>
  /** Stops at once, connections and all. Called at the end of each case. */
  close(): void | Promise<void>
}

/** What a case needs of the platform. */
export type AdapterNeed =
  /** hapax sees the body as it was sent, before any parser. */
  | 'bytes'
  /** Request bodies may have a `Content-Encoding`. */
  | 'content codings'
  /** An answer may have several header lines of one name besides `Set-Cookie`. */
  | 'repeated lines'
  /** Names keep their case, and lines their order. */
  | 'spelling of headers'
  /** Bytes reach the client as the handler writes them. */
  | 'streams'
  /** The framework goes on reading a handler's stream when the client has left. */
  | 'streams that outlive clients'
  /** Clients have connections of their own, which they can drop or go on using. */
  | 'connections'
  /** It is told when a client has left. */
  | 'departures'
  /** What answers for a thrown error stands where hapax sees its answer. */
  | 'answers to errors'
  /** A handler can be guarded twice. */
  | 'layers'
  /** Something before hapax can begin an answer and pass the request on. */
  | 'answers that begin before'

/** One rule of the contract. */
export interface AdapterCase {
  readonly name: string
  readonly needs?: readonly AdapterNeed[]
  run(kit: AdapterKit): Promise<void>
}

/** What a case works with. Each server has a store of its own, unless the options name one. */
export interface AdapterKit {
  start(options: AdapterOptions, handler: AdapterHandler, mount?: AdapterMount): Promise<AdapterServer>
  createStore(): Store
}

/** One JSON POST with a key, on a connection of its own. */
export function post(
  server: { readonly port: number },
  request: {
    readonly key?: string
    readonly user?: string
    readonly target?: string
    readonly method?: string
    readonly value?: unknown
    readonly headers?: Headers
  } = {},
): Promise<RawAnswer> {
  const { key, user, target = '/orders', method = 'POST', value = { item: 17 }, headers = [] } = request
  return exchange(server.port, {
    method,
    target,
    headers: [
      ['Content-Type', 'application/json'],
      ...(key === undefined ? [] : [['Idempotency-Key', key] as const]),
      ...(user === undefined ? [] : [['X-User', user] as const]),
      ...headers,
    ],
    body: JSON.stringify(value),
  })
}

/** A handler that counts its runs and answers 201 with the number. */
export function counter(): { handler: AdapterHandler; runs(): number } {
  let runs = 0
  return {
    handler: () => {
      runs += 1
      return { kind: 'json', status: 201, value: { run: runs } }
    },
    runs: () => runs,
  }
}

/** Asserts that an object has these members, whatever else it has. */
export function assertMembers(actual: object | undefined, expected: object): void {
  const picked = Object.fromEntries(
    Object.keys(expected).map((name) => [name, actual && Reflect.get(actual, name)]),
  )
  assert.deepEqual(picked, expected)
}
