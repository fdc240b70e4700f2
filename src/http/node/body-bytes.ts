import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeContent } from '../content-coding.ts'
import type { RequestBody } from '../guard.ts'

/** A body that is whole, and the exchange it belongs to. */
export function bytesBody(
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
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
