import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Shows a handler a connection that closes when its response does. A framework that listens to the connection
 * itself would else stop the handler when the client leaves, and nobody would ever end the answer.
 */
export function keepConnection(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request
  const kept: Socket = Object.create(socket, {
    destroyed: { get: () => response.destroyed },
    ...Object.fromEntries(
      (['on', 'addListener', 'once', 'off', 'removeListener'] as const).map((name) => [
        name,
        {
          value(event: string, listener: (...args: unknown[]) => void) {
            const emitter = event === 'close' ? response : socket
            Reflect.apply(emitter[name], emitter, [event, listener])
            return kept
          },
        },
      ]),
    ),
  })
  Object.defineProperty(request, 'socket', { configurable: true, writable: true, value: kept })
}
