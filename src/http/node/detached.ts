import type { ServerResponse } from 'node:http'
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
  define(response, { destroyed: false, closed: false, socket: standIn })
}

/** Ends it for the handler as Node would have: `finish`, then `close`. */
export function endDetached(
  response: ServerResponse,
  emit: (event: string) => boolean,
  callback: Callback | undefined,
): void {
  define(response, { writableFinished: true, destroyed: true, closed: true })
  process.nextTick(() => {
    callback?.()
    // Node's own listener on `finish` would look for the connection that is gone.
    for (const listener of response.listeners('finish')) {
      if (!isNodesOwn(listener)) Reflect.apply(listener, response, [])
    }
    emit.call(response, 'close')
  })
}

function isNodesOwn(listener: { readonly name: string }): boolean {
  return listener.name === 'bound resOnFinish' || listener.name === 'resOnFinish'
}

function define(response: ServerResponse, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(response, name, { configurable: true, writable: true, value })
  }
}
