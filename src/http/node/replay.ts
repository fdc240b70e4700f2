import type { IncomingMessage, ServerResponse } from 'node:http'
import type { KeptResponse } from '../../core/record.ts'
import { acceptable } from '../acceptable.ts'
import { setHeaderList } from './headers.ts'
import { lastChunk } from './last-chunk.ts'

/** Answers with the recorded response, under headers of this exchange. */
export async function replay(
  request: IncomingMessage,
  response: ServerResponse,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<void> {
  const accepted = request.headers['accept-encoding']
  const acceptEncoding = Array.isArray(accepted) ? accepted.join(', ') : accepted
  const { status, headers, trailers, body } = await acceptable(acceptEncoding, recorded, maxDecodedBytes)
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
    response.end(lastChunk(bytes), 'latin1')
    return
  }
  response.setHeader('Trailer', [...new Set(trailers.map(([name]) => name))].join(', '))
  response.write(bytes)
  response.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]))
  response.end()
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304
}
