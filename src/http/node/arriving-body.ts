import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestBody } from '../guard.ts'
import { joined } from '../joined.ts'
import { bytesBody } from './body-bytes.ts'
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

export function gatherArriving(
  request: ArrivingRequest,
  response: ServerResponse,
  maxBytes: number,
): Promise<RequestBody> {
  return new Promise((resolve) => {
    request[gatheringKey] = new Gathering(request, response, maxBytes, resolve)
    request.push = pushGathered
    request.on('close', onGone)
    request.on('error', onGone)
  })
}

const gatheringKey: unique symbol = Symbol('hapax gathering')

type ArrivingRequest = IncomingMessage & {
  // Where a request has none, its type does not say so.
  readonly socket?: { readonly parser?: { readonly incoming?: unknown } | null }
  [gatheringKey]?: Gathering | undefined
}

function pushGathered(this: ArrivingRequest, chunk: Buffer | null): boolean {
  const gathering = this[gatheringKey]
  return gathering === undefined ? true : gathering.push(chunk)
}

function onGone(this: ArrivingRequest): void {
  this[gatheringKey]?.settle({ kind: 'incomplete' })
}

class Gathering {
  readonly #request: ArrivingRequest
  readonly #response: ServerResponse
  readonly #maxBytes: number
  readonly #resolve: (body: RequestBody | Promise<RequestBody>) => void
  readonly #push: IncomingMessage['push']
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(
    request: ArrivingRequest,
    response: ServerResponse,
    maxBytes: number,
    resolve: (body: RequestBody | Promise<RequestBody>) => void,
  ) {
    this.#request = request
    this.#response = response
    this.#maxBytes = maxBytes
    this.#resolve = resolve
    this.#push = request.push
  }

  push(chunk: Buffer | null): boolean {
    if (chunk === null) return this.#end()
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (this.#bytes > this.#maxBytes) {
      this.settle({ kind: 'too-large' })
      // The rest has to be taken off the connection, or it would never be free for another request.
      this.#request.resume()
    }
    return true
  }

  settle(body: RequestBody | Promise<RequestBody>): void {
    const request = this.#request
    request[gatheringKey] = undefined
    // Not deleted, which would make the whole request slow.
    request.push = this.#push
    request.off('close', onGone)
    request.off('error', onGone)
    this.#resolve(body)
  }

  #end(): boolean {
    const whole = joined(this.#chunks)
    this.settle(bytesBody({ request: this.#request, response: this.#response }, whole, this.#maxBytes))
    if (whole.length > 0) this.#request.push(whole)
    shieldRequest(this.#request)
    return this.#request.push(null)
  }
}
