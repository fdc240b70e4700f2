import { gzipSync } from 'node:zlib'
import { headerOf, type HeaderLine, type ReadRequest, type Reply } from './messages.ts'

/** The answer as gzip where the request takes it: `gzip;q=0` does not. */
export function gzipped(reply: Reply, request: ReadRequest): Reply {
  const accepts = headerOf(request, 'accept-encoding')
  const wanted = /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i.test(accepts)
  const coded = reply.headers.some(([name]) => name.toLowerCase() === 'content-encoding')
  if (!wanted || coded || reply.body.length === 0 || reply.pace !== undefined) return reply
  const headers: HeaderLine[] = [...reply.headers, ['Content-Encoding', 'gzip'], ['Vary', 'Accept-Encoding']]
  return { ...reply, headers, body: gzipSync(reply.body) }
}
