import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeContent } from '../content-coding.ts'
import type { RequestBody } from '../guard.ts'

/** A request of which the body is read, and the response to it. */
export interface BodyExchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

/** A body that is whole. */
export function bytesBody(
  { request, response }: BodyExchange,
  bytes: Uint8Array,
  maxBytes: number,
): RequestBody | Promise<RequestBody> {
  // Somebody answered before it was whole: Node throws away the rest, and what came may be a part only.
  if (response.headersSent) return { kind: 'incomplete' }
  const coding = request.headers['content-encoding']
  if (coding === undefined) return { kind: 'bytes', bytes, decoded: bytes }
  return decodeContent(bytes, coding, maxBytes).then((decoded) => ({
    kind: 'bytes',
    bytes,
    decoded: decoded ?? bytes,
  }))
}
