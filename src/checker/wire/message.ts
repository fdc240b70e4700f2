/** One header line. The value holds bytes as Latin-1 characters, so any byte can be written and read. */
export type Header = readonly [name: string, value: string]

/** Where a connection goes. */
export type Origin = {
  readonly secure: boolean
  readonly host: string
  readonly port: number
}

export type Framing =
  | { readonly kind: 'length' }
  | { readonly kind: 'chunked'; readonly sizes: readonly number[] }

/** A request, down to the byte: sending the same value twice sends the same bytes twice. */
export type Request = {
  readonly origin: Origin
  readonly method: string
  /** Path and query as they go on the request line. */
  readonly target: string
  readonly headers: readonly Header[]
  readonly body: Buffer | undefined
  readonly framing: Framing
  /** The value that marks this body, for a probe that counts by marker. */
  readonly marker: string
  /** How long the operation was asked to take, for time limits. */
  readonly slowMs: number
}

export type Answer = {
  readonly protocol: 'HTTP/1.1' | 'HTTP/2'
  readonly status: number
  readonly headers: readonly Header[]
  /** The body after transfer decoding. */
  readonly body: Buffer
  readonly framing: 'none' | 'length' | 'chunked' | 'close' | 'frames'
  /** Breaches of RFC 9112 that the reader saw; the answer was still read as well as could be. */
  readonly faults: readonly string[]
}

export type Result =
  | { readonly kind: 'answer'; readonly answer: Answer }
  | { readonly kind: 'none'; readonly code: string; readonly reason: string }

/** One request and what became of it. Times are milliseconds of one monotonic clock. */
export type Exchange = {
  readonly number: number
  readonly request: Request
  readonly openedAt: number
  /** When the last byte of the request had been handed to the system. */
  readonly sentAt: number
  readonly firstByteAt: number | undefined
  readonly endedAt: number
  readonly result: Result
}

/** The bytes of a request as HTTP/1.1. Host and framing fields are added here, everything else is the caller's. */
export function encode(request: Request): Buffer {
  const lines = [`${request.method} ${request.target} HTTP/1.1`]
  if (!has(request.headers, 'host')) lines.push(`Host: ${authority(request.origin)}`)
  for (const [name, value] of request.headers) lines.push(`${name}: ${value}`)
  lines.push(...framingLines(request))
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  if (request.body === undefined) return head
  if (request.framing.kind === 'length') return Buffer.concat([head, request.body])
  return Buffer.concat([head, chunked(request.body, request.framing.sizes)])
}

/** The values of a field, one for each line. */
export function values(headers: readonly Header[], name: string): string[] {
  const wanted = name.toLowerCase()
  return headers.filter(([own]) => own.toLowerCase() === wanted).map(([, value]) => value)
}

export function has(headers: readonly Header[], name: string): boolean {
  return values(headers, name).length > 0
}

export function authority(origin: Origin): string {
  const host = origin.host.includes(':') ? `[${origin.host}]` : origin.host
  return origin.port === (origin.secure ? 443 : 80) ? host : `${host}:${origin.port}`
}

function framingLines(request: Request): string[] {
  if (request.body === undefined) return takesBody(request.method) ? ['Content-Length: 0'] : []
  return request.framing.kind === 'chunked'
    ? ['Transfer-Encoding: chunked']
    : [`Content-Length: ${request.body.length}`]
}

function takesBody(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH'
}

function chunked(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = []
  let at = 0
  for (let turn = 0; at < body.length; turn += 1) {
    const size = Math.min(sizes[turn % sizes.length] ?? body.length, body.length - at)
    parts.push(Buffer.from(`${size.toString(16)}\r\n`), body.subarray(at, at + size), Buffer.from('\r\n'))
    at += size
  }
  parts.push(Buffer.from('0\r\n\r\n'))
  return Buffer.concat(parts)
}
