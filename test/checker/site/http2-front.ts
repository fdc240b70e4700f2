import { type ClientRequest, request as ask } from 'node:http'
import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

export interface Http2Front {
  readonly port: number
  close(): void
}

/** What stands before an Express application in production: HTTP/2 outside, HTTP/1.1 inside. */
export async function startHttp2Front(port: number): Promise<Http2Front> {
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer((outer, answer) => {
    const inner = ask({
      port,
      host: '127.0.0.1',
      method: outer.method,
      path: outer.url,
      headers: headersOf(outer),
    })
    outer.pipe(inner)
    passBack(inner, answer)
  })
  server.on('session', (session) => sessions.add(session))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // A server that listens on TCP has an address of this type.
    port: (server.address() as AddressInfo).port,
    close() {
      for (const session of sessions) session.destroy()
      server.close()
    },
  }
}

function headersOf(request: Http2ServerRequest): Record<string, string | string[] | undefined> {
  const fields = Object.entries(request.headers).filter(([name]) => !name.startsWith(':'))
  return { ...Object.fromEntries(fields), host: request.authority }
}

const ofOneConnection = new Set(['connection', 'keep-alive', 'transfer-encoding'])

function passBack(inner: ClientRequest, answer: Http2ServerResponse): void {
  inner.once('response', (response) => {
    const fields = Object.entries(response.headers).filter(([name]) => !ofOneConnection.has(name))
    answer.writeHead(response.statusCode ?? 502, Object.fromEntries(fields))
    response.pipe(answer)
  })
  inner.once('error', () => answer.stream.close())
}
