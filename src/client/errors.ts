/** What went wrong on the caller's side. What the server refuses is no error: it is a `Response`. */
export type ClientErrorCode =
  /** An option has a value that can't be meant. */
  | 'invalid-option'
  /** The key can't be sent in the form that was asked for. */
  | 'malformed-key'
  /** The body is a stream: it can be sent once only. */
  | 'body-not-repeatable'
  /** No answer came, for all the attempts: nobody here knows whether the request had its effect. */
  | 'no-answer'
  /** Under this intent another request is pending. */
  | 'intent-pending'
  /** The storage has no room for the intent's key. */
  | 'storage-full'
  /** The browser or the operating system forbids the storage, or it failed. */
  | 'storage-forbidden'
  /** What lay in the storage under this intent is none of ours. */
  | 'storage-unreadable'

/** Every error of the client. Tell it by `code`, through {@link isClientError}. */
export class ClientError extends Error {
  readonly code: ClientErrorCode
  /** The idempotency key of the request, where one was made. */
  readonly key: string | undefined

  constructor(code: ClientErrorCode, message: string, options: { cause?: unknown; key?: string } = {}) {
    super(message, { cause: options.cause })
    this.name = 'ClientError'
    this.code = code
    this.key = options.key
    Object.defineProperty(this, brand, { value: true })
  }
}

const brand = Symbol.for('hapax.client-error')

/** True for any error of the client, also where two copies of it are loaded. */
export function isClientError(error: unknown): error is ClientError {
  return typeof error === 'object' && error !== null && brand in error
}
