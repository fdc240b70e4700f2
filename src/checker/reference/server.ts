import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createApplication } from './application.ts'
import { type Guard, soundGuard } from './layer.ts'
import type { HeaderLine, ReadRequest, Reply } from './messages.ts'
import { Ledger, RecordStore } from './store.ts'

export type ReferenceOptions = {
  /** Where records and effects are kept across restarts; in memory when not given. */
  readonly directory?: string
  /** Ports of the two instances and of the cleartext HTTP/2 listener; chosen by the system when not given. */
  readonly ports?: readonly [number, number, number]
  /** Whether a bearer token is asked for: `tenant-a` and `tenant-a-2` are one principal, `tenant-b` another. */
  readonly auth?: boolean
  readonly guard?: Guard
  /** A rogue's order of things: the key is looked up before the credentials are. */
  readonly guardBeforeAuth?: boolean
  /** A rogue's place for compression: inside the layer, so that coded bytes are what is stored. */
  readonly compressInside?: boolean
  readonly maxBodyBytes?: number
  /** Methods that the layer guards. */
  readonly methods?: readonly string[]
}

export type Reference = {
  readonly ports: readonly [number, number, number]
  readonly url: string
  readonly secondUrl: string
  readonly http2Url: string
  close(): Promise<void>
}

type AnyRequest = IncomingMessage | Http2ServerRequest
type AnyResponse = ServerResponse | Http2ServerResponse
type Application = (request: ReadRequest) => Promise<Reply>

/** Starts the reference fixture: two instances over one store, and the first once more over HTTP/2. */
export async function startReference(options: ReferenceOptions = {}): Promise<Reference> {
  const store = new RecordStore(options.directory)
  const ledger = new Ledger(options.directory)
  const application = createApplication({
    store,
    ledger,
    guard: options.guard ?? soundGuard(),
    auth: options.auth ?? false,
    guardBeforeAuth: options.guardBeforeAuth ?? false,
    compressInside: options.compressInside ?? false,
    methods: options.methods ?? ['POST', 'PATCH'],
  })
  const maxBytes = options.maxBodyBytes ?? 12 * 1024 * 1024
  const listener = (req: AnyRequest, res: AnyResponse): void => {
    void serve(application, maxBytes, req, res)
  }
  const servers = [createServer(listener), createServer(listener), createHttp2Server(listener)] as const
  const [first, second, third] = options.ports ?? [0, 0, 0]
  const ports = [
    await listen(servers[0], first),
    await listen(servers[1], second),
    await listen(servers[2], third),
  ] as const
  const sessions = new Set<{ destroy(): void }>()
  servers[2].on('session', (session) => sessions.add(session))
  return {
    ports,
    url: `http://127.0.0.1:${ports[0]}/op`,
    secondUrl: `http://127.0.0.1:${ports[1]}/op`,
    http2Url: `http://127.0.0.1:${ports[2]}/op`,
    close: async () => {
      for (const session of sessions) session.destroy()
      const closed = servers.map((server) => new Promise((resolve) => server.close(resolve)))
      for (const server of [servers[0], servers[1]]) server.closeIdleConnections()
      await Promise.all(closed)
    },
  }
}

function listen(server: Server | ReturnType<typeof createHttp2Server>, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      // A TCP listener's address is always an AddressInfo.
      resolve((server.address() as AddressInfo).port)
    })
  })
}

async function serve(
  application: Application,
  maxBytes: number,
  req: AnyRequest,
  res: AnyResponse,
): Promise<void> {
  const gone = new AbortController()
  res.on('close', () => {
    if (!res.writableFinished) gone.abort()
  })
  req.on('error', () => undefined)
  res.on('error', () => undefined)
  const body = await readBody(req, maxBytes)
  if (body === 'cut') return
  const reply =
    body === 'too large' ? tooLarge() : await application(read(req, body, gone.signal)).catch(broken)
  if (reply.drop === true) req.socket?.destroy()
  else await write(reply, req.method === 'HEAD', res)
}

/** An incomplete request has no effect: it never reaches the application (RFC 9112, section 8). */
async function readBody(req: AnyRequest, maxBytes: number): Promise<Buffer | 'cut' | 'too large'> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of req) {
      const chunk: unknown = part
      if (!(chunk instanceof Buffer)) continue
      bytes += chunk.length
      // What is too large is read to its end all the same, so that the client gets to see the answer.
      if (bytes <= maxBytes) parts.push(chunk)
    }
  } catch {
    return 'cut'
  }
  return bytes > maxBytes ? 'too large' : Buffer.concat(parts)
}

function read(req: AnyRequest, body: Buffer, gone: AbortSignal): ReadRequest {
  const target = req.url ?? '/'
  const question = target.indexOf('?')
  const lines: [string, string][] = []
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    lines.push([(req.rawHeaders[index] ?? '').toLowerCase(), req.rawHeaders[index + 1] ?? ''])
  }
  return {
    method: req.method ?? 'GET',
    path: question < 0 ? target : target.slice(0, question),
    query: new URLSearchParams(question < 0 ? '' : target.slice(question + 1)),
    target,
    lines,
    body,
    gone,
  }
}

function broken(): Reply {
  return {
    status: 500,
    headers: [['Content-Type', 'text/plain']],
    body: Buffer.from('Something went wrong.\n'),
  }
}

function tooLarge(): Reply {
  return {
    status: 413,
    headers: [['Content-Type', 'text/plain']],
    body: Buffer.from('The body is too large.\n'),
  }
}

async function write(reply: Reply, headOnly: boolean, res: AnyResponse): Promise<void> {
  if (res.destroyed) return
  const { pace } = reply
  const lengthLess = reply.status === 204 || reply.status === 304 || pace !== undefined
  const length: HeaderLine[] = lengthLess ? [] : [['Content-Length', String(reply.body.length)]]
  const lines = [...reply.headers, ...length]
  if ('stream' in res) res.writeHead(reply.status, http2Headers(lines))
  else res.writeHead(reply.status, lines.flat())
  if (headOnly || pace === undefined) {
    res.end(headOnly ? Buffer.alloc(0) : reply.body)
    return
  }
  const size = Math.max(1, Math.ceil(reply.body.length / pace.chunks))
  for (let at = 0; at < reply.body.length && !res.destroyed; at += size) {
    if (at > 0)
      await sleep(pace.gapMs)
      // The two kinds of response agree on this call, but not in their types.
    ;(res as ServerResponse).write(reply.body.subarray(at, at + size))
  }
  res.end()
}

function http2Headers(lines: readonly HeaderLine[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {}
  for (const [raw, value] of lines) {
    const name = raw.toLowerCase()
    if (['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'proxy-connection'].includes(name))
      continue
    const known = headers[name]
    headers[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value]
  }
  return headers
}
