import type { HttpOptions } from '../../../src/http/options.ts'
import type { RequestIdempotency } from '../../../src/http/request-idempotency.ts'
import { exchange, type RawAnswer } from '../raw-http.ts'

/** What the contract's options and handlers need of a framework's request. */
export interface HeaderReader {
  header(name: string): string | undefined
}

/** A request as the contract's handlers see it. */
export interface ContractRequest extends HeaderReader {
  readonly idempotency: RequestIdempotency
  /** The whole body, as a parser behind hapax reads it. */
  body(): Promise<Buffer>
}

type Headers = ReadonlyArray<readonly [name: string, value: string]>

/** What a handler answers; the subject says it in the words of its framework. */
export type ContractAnswer =
  | { readonly kind: 'json'; readonly status: number; readonly headers?: Headers; readonly value: unknown }
  | { readonly kind: 'bytes'; readonly status: number; readonly headers?: Headers; readonly body: Uint8Array }
  | {
      readonly kind: 'stream'
      readonly status: number
      readonly headers?: Headers
      readonly chunks: () => AsyncIterable<Uint8Array>
    }
  | { readonly kind: 'empty'; readonly status: number; readonly headers?: Headers }

/** Throws for a handler that fails. */
export type ContractHandler = (request: ContractRequest) => ContractAnswer | Promise<ContractAnswer>

export type ContractOptions = HttpOptions<HeaderReader>

export interface ContractServer {
  readonly port: number
  /** Stops listening and resolves when the last connection has closed by itself. */
  drained(): Promise<void>
}

/**
 * A framework under test. `start` serves `handler` for every method and path, guarded with `options`, until
 * the test is over.
 */
export interface AdapterSubject {
  readonly name: string
  start(options: ContractOptions, handler: ContractHandler): Promise<ContractServer>
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
export function counter(): { handler: ContractHandler; runs(): number } {
  let runs = 0
  return {
    handler: () => {
      runs += 1
      return { kind: 'json', status: 201, value: { run: runs } }
    },
    runs: () => runs,
  }
}
