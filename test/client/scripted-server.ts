import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request as it arrived. */
export interface Arrival {
  readonly method: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly atMs: number
}

export type Reply =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** The connection breaks before a byte of the answer, or in the middle of its body. */
  | 'break'
  | 'break-midway'
  /** Nothing is ever said. */
  | 'silence'

export interface ScriptedServer {
  readonly url: string
  readonly arrivals: readonly Arrival[]
}

/** A server that replies as told, one reply after the other; the last one goes for all further requests. */
export async function scriptedServer(...replies: readonly Reply[]): Promise<ScriptedServer> {
  const arrivals: Arrival[] = []
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      const reply = replies[Math.min(arrivals.length, replies.length - 1)] ?? { status: 200 }
      arrivals.push({
        method: request.method ?? '',
        headers: request.headers,
        body,
        atMs: performance.now(),
      })
      give(response, reply)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  // The server listens on TCP, so its address is an object.
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`, arrivals }
}

function give(response: ServerResponse, reply: Reply): void {
  switch (reply) {
    case 'silence':
      return
    case 'break':
      response.destroy()
      return
    case 'break-midway':
      response.writeHead(201, { 'Content-Length': 1000 })
      response.write('half of it', () => response.destroy())
      return
    default:
      response.writeHead(reply.status, reply.headers)
      response.end(reply.body)
  }
}

export function problem(code: string, status: number, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'Content-Type': 'application/problem+json', ...headers },
    body: JSON.stringify({ type: `urn:hapax:problem:${code}`, title: code, status, detail: 'why', code }),
  }
}
