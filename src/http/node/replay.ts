import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KeptResponse } from '../../core/record.ts'
import { acceptsContentEncoding, decodeContent } from '../content-coding.ts'
import { setHeaderList } from './headers.ts'

/** Answers with the recorded response, under headers of this exchange. */
export async function replay(
  request: IncomingMessage,
  response: ServerResponse,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<void> {
  const { status, headers, trailers, body } = await acceptable(request, recorded, maxDecodedBytes)
  response.statusCode = status
  setHeaderList(response, headers)
  if (hasNoBody(status)) {
    response.end()
    return
  }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  // Trailers need chunks, which HTTP/1.0 has not.
  if (trailers === undefined || request.httpVersion === '1.0') {
    response.setHeader('Content-Length', bytes.length)
    response.end(bytes)
    return
  }
  response.setHeader('Trailer', [...new Set(trailers.map(([name]) => name))].join(', '))
  response.write(bytes)
  response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]))
  response.end()
}

/** An answer that was compressed before it was recorded is decoded for a client that can't read that coding. */
async function acceptable(
  request: IncomingMessage,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<KeptResponse> {
  const coding = recorded.headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1]
  const accepted = request.headers['accept-encoding']
  const acceptEncoding = Array.isArray(accepted) ? accepted.join(', ') : accepted
  if (coding === undefined || acceptsContentEncoding(acceptEncoding, coding)) return recorded
  const body = await decodeContent(recorded.body, coding, maxDecodedBytes)
  if (body === undefined) return recorded
  const headers = recorded.headers.filter(([name]) => !describesCoding.has(name.toLowerCase()))
  return { ...recorded, headers, body }
}

/** True of the coded bytes only. */
const describesCoding = new Set([
  'content-encoding',
  'content-digest',
  'content-md5',
  'digest',
  'etag',
  'accept-ranges',
])

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304
}
