export interface Answer {
  readonly status: number
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer
}

/** What no well-formed answer has. */
class Malformed extends Error {}

/**
 * All answers in what a server sent to `POST` requests, read as strictly as RFC 9112 allows. `rest`: the bytes of one
 * that had not ended.
 */
export function answersIn(received: Buffer): { readonly answers: readonly Answer[]; readonly rest: Buffer } {
  const answers: Answer[] = []
  let rest = received
  for (;;) {
    const found = firstAnswer(rest)
    if (found === undefined) return { answers, rest }
    if (found.answer.status >= 200) answers.push(found.answer)
    rest = rest.subarray(found.bytes)
  }
}

interface Found {
  readonly answer: Answer
  readonly bytes: number
}

function firstAnswer(received: Buffer): Found | undefined {
  if (received.length === 0) return undefined
  const start = received.toString('latin1', 0, 9)
  if (!'HTTP/1.1 '.startsWith(start.slice(0, 9)))
    throw new Malformed(`an answer begins with ${JSON.stringify(start)}`)
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = received.toString('latin1', 0, headEnd).split('\r\n')
  if (!/^HTTP\/1\.1 [1-9]\d\d [\t\x20-\x7e\x80-\xff]*$/.test(statusLine))
    throw new Malformed(`status line: ${statusLine}`)
  const status = Number(statusLine.slice(9, 12))
  const headers = lines.map(fieldOf)
  const bodyAt = headEnd + 4
  const body = bodyOf(received.subarray(bodyAt), status, headers)
  return body && { answer: { status, headers, body: body.content }, bytes: bodyAt + body.bytes }
}

function fieldOf(line: string): readonly [string, string] {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line)
  if (match === null) throw new Malformed(`a header line: ${JSON.stringify(line)}`)
  return [match[1] ?? '', (match[2] ?? '').trimEnd()]
}

type Body = { readonly content: Buffer; readonly bytes: number }

function bodyOf(received: Buffer, status: number, headers: Answer['headers']): Body | undefined {
  const lengths = valuesOf(headers, 'content-length')
  const codings = valuesOf(headers, 'transfer-encoding')
  if (lengths.length + codings.length > 1) throw new Malformed('an answer is framed in more than one way')
  if (status < 200 || status === 204 || status === 304) return { content: Buffer.alloc(0), bytes: 0 }
  if (codings.length === 1) {
    if (codings[0]?.toLowerCase() !== 'chunked') throw new Malformed(`Transfer-Encoding: ${codings[0]}`)
    return chunksIn(received)
  }
  const [length] = lengths
  // Until the connection ends: whatever arrived is the body.
  if (length === undefined) return { content: received, bytes: received.length }
  if (!/^\d+$/.test(length)) throw new Malformed(`Content-Length: ${length}`)
  const bytes = Number(length)
  return received.length < bytes ? undefined : { content: received.subarray(0, bytes), bytes }
}

function chunksIn(received: Buffer): Body | undefined {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const line = received.toString('latin1', at, lineEnd)
    if (!/^[0-9a-fA-F]+$/.test(line)) throw new Malformed(`a chunk begins with ${JSON.stringify(line)}`)
    const size = Number.parseInt(line, 16)
    at = lineEnd + 2
    if (size === 0) break
    if (received.length < at + size + 2) return undefined
    chunks.push(received.subarray(at, at + size))
    if (received.toString('latin1', at + size, at + size + 2) !== '\r\n')
      throw new Malformed('a chunk has no end')
    at += size + 2
  }
  // Trailers, and an empty line.
  for (;;) {
    const lineEnd = received.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const line = received.toString('latin1', at, lineEnd)
    at = lineEnd + 2
    if (line === '') return { content: Buffer.concat(chunks), bytes: at }
    fieldOf(line)
  }
}

export function valuesOf(headers: Answer['headers'], name: string): string[] {
  return headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)
}
