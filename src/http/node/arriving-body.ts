import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../guard.ts'
import { joined } from '../joined.ts'
import { type BodyExchange, bytesBody } from './body-bytes.ts'
import { shieldRequest } from './detached.ts'

// Most bodies are still to come when hapax gets the request. Their parts are kept before they enter the stream, and
// enter it whole: the stream is as it was, where to read it and to put the bytes back takes it through its states
// twice. One function for all requests: closures on each make the garbage collector copy most of them.

/**
 * Whether Node's parser will push this body, of which nobody has seen anything. Other runtimes push when they are asked
 * to read, and have no parser here: there a body has to be read.
 */
export function isArriving(request: ArrivingRequest): boolean {
  return (
    request.socket?.parser?.incoming === request &&
    !request.complete &&
    !request.destroyed &&
    request.readableLength === 0 &&
    request.readableFlowing === null &&
    request.listenerCount('readable') === 0 &&
    !Object.hasOwn(request, 'push')
  )
}

export function gatherArriving(exchange: BodyExchange, maxBytes: number): Promise<RequestBody> {
  const request: ArrivingRequest = exchange.request
  return new Promise((resolve) => {
    request[gatheringKey] = new Gathering(exchange, maxBytes, resolve)
    request.push = pushGathered
    request.on('close', onGone)
    request.on('error', onGone)
  })
}

const gatheringKey: unique symbol = Symbol('hapax gathering')

type ArrivingRequest = IncomingMessage & {
  // Where a request has none, its type does not say so.
  readonly socket?: { readonly parser?: { readonly incoming?: unknown } | null }
  [gatheringKey]?: Gathering
}

type GatheringRequest = IncomingMessage & { readonly [gatheringKey]: Gathering }

function pushGathered(this: GatheringRequest, chunk: Buffer | null): boolean {
  return this[gatheringKey].push(chunk)
}

function onGone(this: GatheringRequest): void {
  this[gatheringKey].settle({ kind: 'incomplete' })
}

class Gathering {
  readonly #exchange: BodyExchange
  readonly #maxBytes: number
  readonly #resolve: (body: RequestBody | Promise<RequestBody>) => void
  readonly #push: IncomingMessage['push']
  /** Undefined once it is settled what becomes of the body. */
  #chunks: Buffer[] | undefined = []
  #bytes = 0

  constructor(
    exchange: BodyExchange,
    maxBytes: number,
    resolve: (body: RequestBody | Promise<RequestBody>) => void,
  ) {
    this.#exchange = exchange
    this.#maxBytes = maxBytes
    this.#resolve = resolve
    this.#push = exchange.request.push
  }

  push(chunk: Buffer | null): boolean {
    const { request } = this.#exchange
    const chunks = this.#chunks
    // Whoever wrapped `push` meanwhile calls it still.
    if (chunks === undefined) return this.#push.call(request, chunk)
    if (chunk === null) return this.#end(joined(chunks))
    chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) {
      this.settle({ kind: 'too-large' })
      // The rest has to be taken off the connection, or it would never be free for another request.
      request.resume()
    }
    return true
  }

  settle(body: RequestBody | Promise<RequestBody>): void {
    const { request } = this.#exchange
    this.#chunks = undefined
    // Not deleted, which would make the whole request slow.
    if (request.push === pushGathered) request.push = this.#push
    request.off('close', onGone)
    request.off('error', onGone)
    this.#resolve(body)
  }

  #end(whole: Buffer): boolean {
    const { request } = this.#exchange
    this.settle(bytesBody(this.#exchange, whole, this.#maxBytes))
    if (whole.length > 0) this.#push.call(request, whole)
    shieldRequest(request)
    return this.#push.call(request, null)
  }
}
