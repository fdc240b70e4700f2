import { type Client, createClient, type IdempotentInit } from './fetch/client.ts'

/**
 * `fetch` with an idempotency key and safe retries, under the default options: `createClient().fetch`.
 *
 * It takes your word that the server honours keys: to one that ignores them, a retry is a second purchase.
 *
 * @throws {ClientError} `no-answer`, `body-not-repeatable`, `malformed-key`; see {@link Client}.
 * @example
 * const response = await idempotentFetch('/orders', { method: 'POST', body: JSON.stringify(order) })
 */
export function idempotentFetch(input: string | URL | Request, init?: IdempotentInit): Promise<Response> {
  defaultClient ??= createClient()
  return defaultClient.fetch(input, init)
}

let defaultClient: Client | undefined

export { type Client, createClient, type IdempotentInit } from './fetch/client.ts'
export { ClientError, type ClientErrorCode, isClientError } from './errors.ts'
export { type KeyFormat, newKey } from './fetch/key.ts'
export { type ClientEvent, type ClientOptions } from './fetch/options.ts'
export { type AnsweredProblem, idempotencyProblem } from './fetch/problem.ts'
export { type Duration } from '../protocol/duration.ts'
export { type ProblemCode } from '../protocol/codes.ts'
