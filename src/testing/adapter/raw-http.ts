import { connect, type Socket } from 'node:net'
import { once } from 'node:events'

/** A request, as its bytes: names keep their case, lines their order, repeated names stay apart. */
export interface RawRequest {
  readonly method?: string
  readonly target?: string
  readonly version?: '1.0' | '1.1'
  readonly headers?: ReadonlyArray<readonly [string, string]>
  /** Sent with a Content-Length. */
  readonly body?: string | Uint8Array
  /** Sent chunked, one chunk each. */
  readonly chunks?: ReadonlyArray<string | Uint8Array>
}

/** An answer, as it came: header lines in order, with the case and the bytes they had. */
export interface RawAnswer {
  readonly statusLine: string
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly framing: 'length' | 'chunked' | 'close' | 'none'
  readonly body: Buffer
  readonly trailers: ReadonlyArray<readonly [name: string, value: string]>
}

/** Values of every line of that name, in order. */
export function linesOf(answer: RawAnswer, name: string): string[] {
  return answer.headers
    .filter(([line]) => line.toLowerCase() === name.toLowerCase())
    .map(([, value]) => value)
}

/** The value of the one line of that name, or undefined; fails when there are several. */
export function headerOf(answer: RawAnswer, name: string): string | undefined {
  const lines = linesOf(answer, name)
  if (lines.length > 1) throw new Error(`${name} stands ${lines.length} times`)
  return lines[0]
}

export function jsonOf(answer: RawAnswer): Record<string, unknown> {
  // Every JSON body in these tests is an object; a test on one that is not would fail on its members.
  return JSON.parse(answer.body.toString()) as Record<string, unknown>
}

export function encodeRequest(request: RawRequest): Buffer {
  const { method = 'POST', target = '/', version = '1.1', headers = [], body, chunks } = request
  const lines = [`${method} ${target} HTTP/${version}`, 'Host: localhost']
  for (const [name, value] of headers) lines.push(`${name}: ${value}`)
  if (body !== undefined) lines.push(`Content-Length: ${Buffer.byteLength(body)}`)
  if (chunks !== undefined) lines.push('Transfer-Encoding: chunked')
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (chunks === undefined) return Buffer.concat([head, Buffer.from(body ?? '')])
  const parts = chunks.map(encodeChunk)
  return Buffer.concat([head, ...parts, Buffer.from('0\r\n\r\n')])
}

function encodeChunk(chunk: string | Uint8Array): Buffer {
  const bytes = Buffer.from(chunk)
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** One connection, at the level of bytes. */
export class RawConnection {
  readonly #socket: Socket
  /** Grows by doubling, so that megabytes arrive in reasonable time. */
  #buffer = Buffer.alloc(64 * 1024)
  #start = 0
  #end = 0
  #ended: 'no' | 'end' | 'reset' = 'no'
  #changed: (() => void) | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (data: Buffer) => this.#onData(data))
    socket.on('error', () => this.#onEnd('reset'))
    socket.on('end', () => this.#onEnd('end'))
    socket.on('close', () => this.#onEnd('reset'))
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new RawConnection(socket)
  }

  /** What arrived and no answer has taken. */
  get received(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end)
  }

  send(data: RawRequest | Uint8Array): void {
    this.#socket.write(data instanceof Uint8Array ? data : encodeRequest(data))
  }

  /** Waits until `take` finds what it looks for in the bytes that arrived. */
  async until<T>(
    what: string,
    take: (received: Buffer, ended: boolean) => T | undefined,
    limitMs = 10_000,
  ): Promise<T> {
    const endMs = performance.now() + limitMs
    for (;;) {
      const found = take(this.received, this.#ended !== 'no')
      if (found !== undefined) return found
      const leftMs = endMs - performance.now()
      const had = `${this.received.length} bytes had arrived, connection ${this.#ended === 'no' ? 'open' : this.#ended}`
      if (this.#ended !== 'no') throw new Error(`Connection closed before ${what}; ${had}`)
      if (leftMs <= 0) throw new Error(`Not within ${limitMs} ms: ${what}; ${had}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.#changed = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Takes the next whole answer off the connection. */
  async answer(options: { method?: string } = {}): Promise<RawAnswer> {
    const parsed = await this.until('a whole answer', (received, ended) =>
      parseAnswer(received, { ended, method: options.method ?? 'POST' }),
    )
    this.#start += parsed.bytes
    return parsed.answer
  }

  /** How the server ended the connection. */
  async closed(limitMs = 10_000): Promise<'end' | 'reset'> {
    const endMs = performance.now() + limitMs
    while (this.#ended === 'no') {
      if (performance.now() > endMs) throw new Error(`The connection was still open after ${limitMs} ms`)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    return this.#ended
  }

  get isClosed(): boolean {
    return this.#ended !== 'no'
  }

  /** Stops reading, so that the server meets backpressure. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Hangs up politely. */
  close(): void {
    this.#socket.destroy()
  }

  /** Hangs up with a reset, as when the client's process or network dies. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }

  /** Closes only the sending half. */
  halfClose(): void {
    this.#socket.end()
  }

  #onData(data: Buffer): void {
    if (this.#end + data.length > this.#buffer.length) {
      const grown = Buffer.alloc(2 * (this.#end + data.length))
      this.#buffer.copy(grown, 0, 0, this.#end)
      this.#buffer = grown
    }
    data.copy(this.#buffer, this.#end)
    this.#end += data.length
    this.#changed?.()
  }

  #onEnd(how: 'end' | 'reset'): void {
    if (this.#ended === 'no') this.#ended = how
    this.#changed?.()
  }
}

/** One request on a connection of its own. */
export async function exchange(port: number, request: RawRequest): Promise<RawAnswer> {
  const connection = await RawConnection.open(port)
  try {
    connection.send(request)
    return await connection.answer({ method: request.method ?? 'POST' })
  } finally {
    connection.close()
  }
}

function parseAnswer(
  received: Buffer,
  context: { ended: boolean; method: string },
): { answer: RawAnswer; bytes: number } | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = received.toString('latin1', 0, headEnd).split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers = lines.map(fieldOf)
  const start = headEnd + 4
  if (status < 200) return parseAnswer(received.subarray(start), context)
  const framing = framingOf(status, headers, context.method)
  const base = { statusLine, status, headers, framing, trailers: [] }
  switch (framing) {
    case 'none':
      return { answer: { ...base, body: Buffer.alloc(0) }, bytes: start }
    case 'length': {
      const end = start + Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1])
      if (received.length < end) return undefined
      return { answer: { ...base, body: received.subarray(start, end) }, bytes: end }
    }
    case 'close':
      if (!context.ended) return undefined
      return { answer: { ...base, body: received.subarray(start) }, bytes: received.length }
    case 'chunked': {
      const decoded = decodeChunks(received, start)
      if (decoded === undefined) return undefined
      const { body, trailers, end } = decoded
      return { answer: { ...base, body, trailers }, bytes: end }
    }
  }
}

function framingOf(
  status: number,
  headers: ReadonlyArray<readonly [string, string]>,
  method: string,
): RawAnswer['framing'] {
  const has = (wanted: string): boolean => headers.some(([name]) => name.toLowerCase() === wanted)
  if (has('content-length') && has('transfer-encoding')) throw new Error('Two framings at once')
  if (method === 'HEAD' || status === 204 || status === 304) return 'none'
  if (has('transfer-encoding')) return 'chunked'
  return has('content-length') ? 'length' : 'close'
}

function decodeChunks(
  received: Buffer,
  start: number,
): { body: Buffer; trailers: Array<readonly [string, string]>; end: number } | undefined {
  const chunks: Buffer[] = []
  let position = start
  for (;;) {
    const lineEnd = received.indexOf('\r\n', position)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(received.toString('latin1', position, lineEnd), 16)
    if (size === 0) {
      const trailerStart = lineEnd + 2
      if (received.toString('latin1', trailerStart, trailerStart + 2) === '\r\n') {
        return { body: Buffer.concat(chunks), trailers: [], end: trailerStart + 2 }
      }
      const end = received.indexOf('\r\n\r\n', trailerStart)
      if (end === -1) return undefined
      const trailers = received.toString('latin1', trailerStart, end).split('\r\n').map(fieldOf)
      return { body: Buffer.concat(chunks), trailers, end: end + 4 }
    }
    const chunkEnd = lineEnd + 2 + size
    if (received.length < chunkEnd + 2) return undefined
    chunks.push(received.subarray(lineEnd + 2, chunkEnd))
    position = chunkEnd + 2
  }
}

function fieldOf(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
