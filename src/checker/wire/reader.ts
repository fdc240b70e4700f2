import type { Answer, Header } from './message.ts'
import { values } from './message.ts'

type State =
  | 'head'
  | 'length'
  | 'chunk-size'
  | 'chunk-data'
  | 'chunk-end'
  | 'trailer'
  | 'until-close'
  | 'done'

const maxHeadBytes = 256 * 1024

/**
 * Reads one HTTP/1.1 answer from a stream of bytes, keeping header lines as they came and noting every
 * breach of RFC 9112 framing instead of forgiving it silently.
 */
export class AnswerReader {
  readonly #method: string
  readonly #maxBytes: number
  #state: State = 'head'
  #pending: Buffer = Buffer.alloc(0)
  #body: Buffer[] = []
  #bodyBytes = 0
  #remaining = 0
  #status = 0
  #headers: Header[] = []
  #framing: Answer['framing'] = 'none'
  #faults: string[] = []

  constructor(method: string, maxBytes: number) {
    this.#method = method
    this.#maxBytes = maxBytes
  }

  get done(): boolean {
    return this.#state === 'done'
  }

  /** Bytes that came after the end of the answer. */
  get rest(): Buffer {
    return this.#pending
  }

  get receivedBytes(): number {
    return this.#bodyBytes + this.#pending.length
  }

  /** Takes bytes. Throws a sentence when they are no HTTP answer at all, or more than the limit. */
  push(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes])
    while (this.#step()) {
      if (this.#bodyBytes > this.#maxBytes) {
        throw new WireError('ENDLESS', `the answer went on past ${this.#maxBytes} bytes`)
      }
    }
  }

  /** The other side closed. Throws when that cuts the answer short. */
  end(): void {
    if (this.#state === 'done') return
    if (this.#state === 'until-close') {
      this.#state = 'done'
      return
    }
    const got = this.#state === 'head' && this.#pending.length === 0
    throw got
      ? new WireError('CLOSED', 'the connection was closed without an answer')
      : new WireError('CUT', `the connection was closed in the middle of the answer (${this.#state})`)
  }

  answer(): Answer {
    return {
      protocol: 'HTTP/1.1',
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#body),
      framing: this.#framing,
      faults: this.#faults,
    }
  }

  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#head()
      case 'length':
      case 'chunk-data':
        return this.#data()
      case 'chunk-size':
        return this.#chunkSize()
      case 'chunk-end':
        return this.#chunkEnd()
      case 'trailer':
        return this.#trailer()
      case 'until-close':
        return this.#untilClose()
      case 'done':
        return false
    }
  }

  #head(): boolean {
    const end = this.#pending.indexOf('\r\n\r\n')
    if (end < 0) {
      if (this.#pending.length > maxHeadBytes)
        throw new WireError('NOT_HTTP', 'the header section does not end')
      const start = this.#pending.subarray(0, 5).toString('latin1')
      if (!'HTTP/'.startsWith(start.slice(0, 5))) throw new WireError('NOT_HTTP', notHttp(this.#pending))
      return false
    }
    const lines = this.#pending.subarray(0, end).toString('latin1').split('\r\n')
    this.#pending = this.#pending.subarray(end + 4)
    const match = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(lines[0] ?? '')
    if (match === null) throw new WireError('NOT_HTTP', notHttp(Buffer.from(lines[0] ?? '', 'latin1')))
    const status = Number(match[1])
    if (status < 200) return true
    this.#status = status
    this.#headers = lines.slice(1).map((line) => this.#headerLine(line))
    this.#chooseFraming()
    return true
  }

  #headerLine(line: string): Header {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      this.#faults.push(`bad header line ${JSON.stringify(line)}`)
    return [name, colon < 0 ? '' : line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')]
  }

  #chooseFraming(): void {
    const lengths = values(this.#headers, 'content-length')
    const codings = values(this.#headers, 'transfer-encoding')
    if (lengths.length > 1) this.#faults.push(`${lengths.length} Content-Length lines`)
    if (lengths.length > 0 && codings.length > 0)
      this.#faults.push('both Content-Length and Transfer-Encoding')
    if (this.#status === 204 && lengths.length > 0)
      this.#faults.push('Content-Length on a 204 (RFC 9110 8.6)')
    if (this.#status === 204 && codings.length > 0)
      this.#faults.push('Transfer-Encoding on a 204 (RFC 9112 6.1)')
    if (this.#method === 'HEAD' || this.#status === 204 || this.#status === 304) {
      this.#state = 'done'
      return
    }
    if (codings.length > 0) {
      if (codings.join(',').toLowerCase().trim() !== 'chunked') {
        this.#faults.push(`Transfer-Encoding is ${codings.join(', ')}`)
      }
      this.#framing = 'chunked'
      this.#state = 'chunk-size'
      return
    }
    const length = lengths[0]
    if (length === undefined) {
      this.#framing = 'close'
      this.#state = 'until-close'
      return
    }
    if (!/^\d+$/.test(length)) throw new WireError('NOT_HTTP', `Content-Length is ${JSON.stringify(length)}`)
    this.#framing = 'length'
    this.#remaining = Number(length)
    this.#state = this.#remaining === 0 ? 'done' : 'length'
  }

  #data(): boolean {
    if (this.#pending.length === 0) return false
    const part = this.#pending.subarray(0, this.#remaining)
    this.#take(part)
    this.#pending = this.#pending.subarray(part.length)
    this.#remaining -= part.length
    if (this.#remaining > 0) return false
    this.#state = this.#state === 'length' ? 'done' : 'chunk-end'
    return true
  }

  #chunkSize(): boolean {
    const end = this.#pending.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#pending.subarray(0, end).toString('latin1')
    this.#pending = this.#pending.subarray(end + 2)
    const match = /^([0-9a-fA-F]+)[ \t]*(?:;.*)?$/.exec(line)
    if (match === null) throw new WireError('NOT_HTTP', `bad chunk size ${JSON.stringify(line.slice(0, 40))}`)
    this.#remaining = Number.parseInt(match[1] ?? '0', 16)
    this.#state = this.#remaining === 0 ? 'trailer' : 'chunk-data'
    return true
  }

  #chunkEnd(): boolean {
    if (this.#pending.length < 2) return false
    if (this.#pending.subarray(0, 2).toString('latin1') !== '\r\n') {
      throw new WireError('NOT_HTTP', 'a chunk is not followed by CRLF')
    }
    this.#pending = this.#pending.subarray(2)
    this.#state = 'chunk-size'
    return true
  }

  #trailer(): boolean {
    const end = this.#pending.indexOf('\r\n')
    if (end < 0) return false
    this.#pending = this.#pending.subarray(end + 2)
    if (end === 0) this.#state = 'done'
    return true
  }

  #untilClose(): boolean {
    this.#take(this.#pending)
    this.#pending = Buffer.alloc(0)
    return false
  }

  #take(part: Buffer): void {
    this.#body.push(part)
    this.#bodyBytes += part.length
    if (this.#bodyBytes > this.#maxBytes) {
      throw new WireError('ENDLESS', `the answer went on past ${this.#maxBytes} bytes`)
    }
  }
}

/** Why no answer could be had: a code for programs, a sentence for people. */
export class WireError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'WireError'
    this.code = code
  }
}

function notHttp(bytes: Buffer): string {
  return `what came back is not HTTP/1.1: ${JSON.stringify(bytes.subarray(0, 60).toString('latin1'))}`
}
