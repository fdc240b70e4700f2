import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Callback } from './data-arguments.ts'

/**
 * Makes a response whose client has left look alive to its handler. Libraries look at the response's
 * `destroyed` and `closed`, and (through `on-finished`, which `sendFile` uses) at its socket.
 */
export function detachFromClient(response: ServerResponse): void {
  const { remoteAddress, remotePort } = response.socket ?? {}
  const standIn = Object.assign(new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }), {
    remoteAddress,
    remotePort,
  })
  define(response, { destroyed: false, closed: false, writableNeedDrain: false, socket: standIn })
}

/**
 * From here on a client that leaves does not take its request away: Node would destroy the stream, and a
 * parser behind hapax would find no body, or none of its events.
 */
export function shieldRequest(request: IncomingMessage): void {
  // What somebody replaced already keeps its say, which takes a closure. The rule is one function for all requests: a
  // closure on each made the garbage collector copy most requests, and cost a tenth of a first request.
  if (!Object.hasOwn(request, 'destroy')) request.destroy = destroyShielded
  else shieldReplaced(request, request.destroy)
}

function destroyShielded(this: IncomingMessage, error?: Error): IncomingMessage {
  return destroyUnlessHangUp(this, Object.getPrototypeOf(this).destroy, error)
}

function shieldReplaced(request: IncomingMessage, destroy: IncomingMessage['destroy']): void {
  request.destroy = (error) => destroyUnlessHangUp(request, destroy, error)
}

function destroyUnlessHangUp(
  request: IncomingMessage,
  destroy: IncomingMessage['destroy'],
  error: Error | undefined,
): IncomingMessage {
  if (!isHangUp(error)) return destroy.call(request, error)
  openSocket(request)
  return request
}

/**
 * To be called right before others see a shielded request: its socket may be broken already, while the `close` at which
 * Node would destroy the request has yet to come.
 */
export function hideBrokenSocket(request: IncomingMessage): void {
  // What stands for a socket elsewhere may know nothing of this.
  const { socket }: { readonly socket?: { readonly readable?: boolean } } = request
  if (socket?.readable === false) openSocket(request)
}

/** Libraries take a request whose socket can't be read for one that is over, and its body for read. */
function openSocket(request: IncomingMessage): void {
  const socket: unknown = Object.create(request.socket, {
    readable: { value: true },
    writable: { value: true },
  })
  define(request, { socket })
}

/** The error that Node's HTTP server gives to the requests of a connection that closed. */
function isHangUp(error: (Error & { readonly code?: unknown }) | undefined): boolean {
  return error?.code === 'ECONNRESET' && error.message === 'aborted'
}

/**
 * Whether this process cut the connection, and not its client, the network or a server that shuts down: then
 * whoever was to answer has given up.
 */
export function cutOffHere(socket: Socket & { readonly server?: { readonly listening?: boolean } }): boolean {
  const byOthers = socket.readableEnded || (socket.errored ?? null) !== null
  return !byOthers && socket.server?.listening !== false
}

/** Calls `listener` when something destroys a connection that is gone already. */
export function onLateDestroy(socket: Socket, listener: () => void): void {
  const { destroy } = socket
  socket.destroy = (error?: Error) => {
    listener()
    return destroy.call(socket, error)
  }
}

/** Ends it for the handler as Node would have: `finish` where it was answered in full, then `close`. */
export function endDetached(
  response: ServerResponse,
  { emit, finished, callback }: { emit: Emit; finished: boolean; callback: Callback | undefined },
): void {
  define(response, { writableFinished: finished, destroyed: true, closed: true })
  process.nextTick(() => {
    callback?.()
    // Node's own listener on `finish` would look for the connection that is gone.
    for (const listener of finished ? response.listeners('finish') : []) {
      if (!isNodesOwn(listener)) Reflect.apply(listener, response, [])
    }
    emit.call(response, 'close')
  })
}

type Emit = (event: string) => boolean

function isNodesOwn(listener: { readonly name: string }): boolean {
  return listener.name === 'bound resOnFinish' || listener.name === 'resOnFinish'
}

function define(message: IncomingMessage | ServerResponse, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(message, name, { configurable: true, writable: true, value })
  }
}
