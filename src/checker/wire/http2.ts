import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from './connection.ts'
import { authority, type Exchange, type Header, type Request, type Result } from './message.ts'
import type { Race, Transport } from './transport.ts'
import { overlapped } from './transport.ts'

/** One HTTP/2 connection (TLS, or cleartext with prior knowledge). */
export class Http2Connection {
  readonly #session: ClientHttp2Session
  readonly #transport: Transport

  private constructor(session: ClientHttp2Session, transport: Transport) {
    this.#session = session
    this.#transport = transport
    session.on('error', () => undefined)
  }

  /** Resolves to a sentence when the other side does not speak HTTP/2. */
  static open(url: URL, transport: Transport): Promise<Http2Connection | string> {
    const { insecure, ca } = transport.trust
    return new Promise((resolve) => {
      const session = connect(url.origin, {
        rejectUnauthorized: !insecure,
        ...(ca === undefined ? {} : { ca }),
      })
      const timer = setTimeout(() => give('no HTTP/2 settings within 3 s'), 3000)
      const give = (outcome: Http2Connection | string): void => {
        clearTimeout(timer)
        if (typeof outcome === 'string') session.destroy()
        resolve(outcome)
      }
      session.once('error', (error: NodeJS.ErrnoException) => give(describe(error).message))
      session.once('close', () => give('the connection was closed'))
      // A server that does not speak HTTP/2 accepts the TCP connection too; only its SETTINGS prove it.
      session.once('remoteSettings', () => give(new Http2Connection(session, transport)))
    })
  }

  async send(request: Request): Promise<Exchange> {
    const stream = this.#begin(request)
    stream.finish()
    return stream.exchange
  }

  /** Holds the last byte of every stream's body, then lets all of them go in one tick. */
  async race(requests: readonly Request[], holdMs = 100): Promise<Race> {
    const streams = requests.map((request) => this.#begin(request))
    await sleep(holdMs)
    for (const stream of streams) stream.finish()
    const exchanges = await Promise.all(streams.map((stream) => stream.exchange))
    return { exchanges, overlapped: overlapped(exchanges) }
  }

  close(): void {
    this.#session.destroy()
  }

  #begin(request: Request): { finish(): void; exchange: Promise<Exchange> } {
    const number = this.#transport.nextNumber()
    const openedAt = performance.now()
    const body = request.body ?? Buffer.alloc(0)
    const stream = this.#session.request(headersOf(request), { endStream: false })
    if (body.length > 1) stream.write(body.subarray(0, -1))
    let sentAt = openedAt
    const limits = this.#transport.limits
    const exchange = collect(stream, limits.answerMs + request.slowMs, limits.maxBytes).then((got) => ({
      number,
      request,
      openedAt,
      sentAt,
      ...got,
    }))
    return {
      finish: () => {
        sentAt = performance.now()
        stream.end(body.subarray(Math.max(0, body.length - 1)))
      },
      exchange,
    }
  }
}

const connectionFields = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'host',
  'upgrade',
  'content-length',
])

function headersOf(request: Request): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ':method': request.method,
    ':path': request.target,
    ':authority': authority(request.origin),
  }
  for (const [name, value] of request.headers) {
    if (!connectionFields.has(name.toLowerCase())) headers[name.toLowerCase()] = value
  }
  if (request.body !== undefined) headers['content-length'] = String(request.body.length)
  return headers
}

type Collected = { result: Result; firstByteAt: number | undefined; endedAt: number }

function collect(stream: ClientHttp2Stream, limitMs: number, maxBytes: number): Promise<Collected> {
  return new Promise((resolve) => {
    let status = 0
    let headers: Header[] = []
    const parts: Buffer[] = []
    let bytes = 0
    let firstByteAt: number | undefined
    const give = (result: Result): void => {
      clearTimeout(timer)
      resolve({ result, firstByteAt, endedAt: performance.now() })
    }
    const none = (code: string, reason: string): void => give({ kind: 'none', code, reason })
    const timer = setTimeout(() => {
      none('TIMEOUT', `no whole answer within ${Math.round(limitMs / 1000)} s`)
      stream.destroy()
    }, limitMs)
    stream.on('response', (raw) => {
      firstByteAt = performance.now()
      status = raw[':status'] ?? 0
      headers = Object.entries(raw).flatMap(([name, value]) => linesOf(name, value))
    })
    stream.on('data', (part: Buffer) => {
      parts.push(part)
      bytes += part.length
      if (bytes > maxBytes) {
        none('ENDLESS', `the answer went on past ${maxBytes} bytes`)
        stream.destroy()
      }
    })
    stream.on('end', () => {
      if (status === 0) return none('CLOSED', 'the stream was closed without an answer')
      const body = Buffer.concat(parts)
      give({
        kind: 'answer',
        answer: { protocol: 'HTTP/2', status, headers, body, framing: 'frames', faults: [] },
      })
    })
    stream.on('error', (error: NodeJS.ErrnoException) => none(error.code ?? 'ERROR', describe(error).message))
    stream.on('close', () => none('CLOSED', 'the stream was closed before its answer ended'))
  })
}

function linesOf(name: string, value: string | string[] | number | undefined): Header[] {
  if (name.startsWith(':') || value === undefined) return []
  return Array.isArray(value) ? value.map((one): Header => [name, one]) : [[name, String(value)]]
}
