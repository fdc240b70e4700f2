import { ClientError } from '../errors.ts'

/** A body that is the same bytes each time it is sent. */
export type RepeatableBody = string | Blob | ArrayBuffer | null | undefined

/** The body that a request is to be sent with: its own, or that of a `Request`, which could be sent once only. */
export async function bodyOf(
  init: RequestInit,
  given: Request | undefined,
  headers: Headers,
): Promise<RepeatableBody> {
  if (init.body !== undefined) return repeatableBody(init.body, headers)
  const bytes = await given?.clone().arrayBuffer()
  return bytes?.byteLength ? bytes : undefined
}

/**
 * Makes a body repeatable. What is encoded anew each time it is sent (a form with its boundary) or what the caller
 * might change (a buffer) is turned into bytes now, and its media type into a field of `headers`.
 *
 * @throws {ClientError} `body-not-repeatable` for a stream.
 */
async function repeatableBody(body: RequestInit['body'], headers: Headers): Promise<RepeatableBody> {
  if (body === null || body === undefined || typeof body === 'string' || body instanceof Blob) return body
  if ('getReader' in body || Symbol.asyncIterator in body) {
    throw streamRefused()
  }
  const encoded = new Response(body)
  const contentType = encoded.headers.get('content-type')
  if (contentType !== null && !headers.has('content-type')) headers.set('content-type', contentType)
  return encoded.arrayBuffer()
}

export function streamRefused(): ClientError {
  return new ClientError(
    'body-not-repeatable',
    'A stream can be sent only once, so it could not be retried. Read it first: body: await new Response(stream).blob().',
  )
}
