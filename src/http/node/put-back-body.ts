import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../guard.ts'
import { joined } from '../joined.ts'
import { type BodyExchange, bytesBody } from './body-bytes.ts'
import { shieldRequest } from './detached.ts'

/**
 * Reads the whole body and puts it back. Bytes can be put back only before the stream has said `end`: that is why this
 * listens to `readable`, in whose last call the message is complete and `end` has not been emitted yet.
 */
export function readAndPutBack(exchange: BodyExchange, maxBytes: number): Promise<RequestBody> {
  const { request } = exchange
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0

    function onReadable(): void {
      // To read an empty stream that has ended would make it say `end` before a parser listens.
      while (request.readableLength > 0) {
        const chunk: Buffer | null = request.read()
        if (chunk === null) break
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBytes) {
          finish({ kind: 'too-large' })
          // The rest has to be taken off the connection, or it would never be free for another request.
          request.resume()
          return
        }
      }
      if (!isComplete(request)) return
      const whole = joined(chunks)
      if (whole.length > 0) request.unshift(whole)
      else tellLateListeners(request)
      shieldRequest(request)
      finish(bytesBody(exchange, whole, maxBytes))
    }
    function onGone(): void {
      finish({ kind: 'incomplete' })
    }
    function finish(result: RequestBody | Promise<RequestBody>): void {
      request.off('readable', onReadable)
      request.off('close', onGone)
      request.off('error', onGone)
      resolve(result)
    }

    request.on('readable', onReadable)
    request.on('close', onGone)
    request.on('error', onGone)
    if (request.destroyed) onGone()
  })
}

/**
 * Requests of Fastify's `inject` are streams of their own kind, and have no `complete`; those of HTTP/2 say it only once
 * they have said `end`.
 */
export function isComplete(request: {
  readonly complete?: boolean
  readonly httpVersionMajor?: number
}): boolean {
  const state: { readonly ended?: boolean } | undefined = Reflect.get(request, '_readableState')
  if (request.complete === undefined || request.httpVersionMajor === 2) return state?.ended === true
  return request.complete
}

/** An empty stream has said `end` by now and can't say it again, so each that listens for it later is told. */
function tellLateListeners(request: IncomingMessage): void {
  request.on('newListener', (event: string, listener: (...args: unknown[]) => void) => {
    if (event === 'end' && request.readableEnded) process.nextTick(() => Reflect.apply(listener, request, []))
  })
}
