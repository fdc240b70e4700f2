import { connect as connectTcp, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { connect as connectTls } from 'node:tls'
import type { Origin, Result } from './message.ts'
import { AnswerReader, WireError } from './reader.ts'

/** Which certificates are believed. */
export type Trust = { readonly insecure: boolean; readonly ca: string | undefined }

export type Limits = { readonly connectMs: number; readonly answerMs: number; readonly maxBytes: number }

export type Received = {
  readonly result: Result
  readonly firstByteAt: number | undefined
  readonly endedAt: number
}

/**
 * One TCP or TLS connection, written to byte by byte. Nothing here knows what a request is, so half a
 * request, a held last byte or a reset in the middle are all ordinary uses.
 */
export class Connection {
  readonly openedAt = performance.now()
  readonly #socket: Socket
  readonly #limits: Limits
  #reader: AnswerReader | undefined
  #settle: ((result: Result) => void) | undefined
  #firstByteAt: number | undefined
  #rest: Buffer = Buffer.alloc(0)
  #gone: WireError | undefined
  #seen: (() => void)[] = []

  private constructor(socket: Socket, limits: Limits) {
    this.#socket = socket
    this.#limits = limits
    socket.on('data', (bytes: Buffer) => this.#data(bytes))
    socket.on('error', (error: NodeJS.ErrnoException) => this.#lost(describe(error)))
    socket.on('end', () => this.#ended())
    socket.on('close', () => this.#ended())
  }

  static open(origin: Origin, trust: Trust, limits: Limits): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = dial(origin, trust)
      socket.setNoDelay(true)
      const timer = setTimeout(() => {
        socket.destroy()
        reject(new WireError('ETIMEDOUT', `no connection within ${limits.connectMs / 1000} s`))
      }, limits.connectMs)
      const failed = (error: NodeJS.ErrnoException): void => {
        clearTimeout(timer)
        reject(describe(error))
      }
      socket.once('error', failed)
      socket.once(origin.secure ? 'secureConnect' : 'connect', () => {
        clearTimeout(timer)
        socket.off('error', failed)
        resolve(new Connection(socket, limits))
      })
    })
  }

  /** Writes bytes; resolves with the time at which the system had taken them all. */
  write(bytes: Buffer): Promise<number> {
    return new Promise((resolve) => {
      this.#socket.write(bytes, () => resolve(performance.now()))
      // On loopback the system usually takes the bytes at once; then "now" is the truth and a later
      // callback would make an overlap look unproven.
      if (this.#socket.writableLength === 0) resolve(performance.now())
    })
  }

  /** The next answer on this connection. Call it before the last byte is written. */
  receive(method: string, extraMs = 0): Promise<Received> {
    this.#reader = new AnswerReader(method, this.#limits.maxBytes)
    this.#firstByteAt = undefined
    const limitMs = this.#limits.answerMs + extraMs
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        const got = this.#reader?.receivedBytes ?? 0
        const what =
          this.#firstByteAt === undefined ? 'no answer' : `the answer did not end (${got} bytes so far)`
        this.#fail(new WireError('TIMEOUT', `${what} within ${Math.round(limitMs / 100) / 10} s`))
        this.#socket.destroy()
      }, limitMs)
      this.#settle = (result) => {
        clearTimeout(timer)
        this.#settle = undefined
        resolve({ result, firstByteAt: this.#firstByteAt, endedAt: performance.now() })
      }
      if (this.#rest.length > 0) this.#data(this.#rest.subarray(0))
      if (this.#gone !== undefined) this.#fail(this.#gone)
    })
  }

  /** Resolves when the first byte of the current answer has come, or the connection is gone. */
  firstByte(): Promise<void> {
    if (this.#firstByteAt !== undefined || this.#gone !== undefined) return Promise.resolve()
    return new Promise((resolve) => this.#seen.push(resolve))
  }

  /** Bytes nobody asked for, seen after the last answer ended. */
  get strayBytes(): Buffer {
    return this.#rest
  }

  /** Cuts the connection with a TCP reset, as a client does that crashes or loses its network. */
  reset(): void {
    // Node (20 and 24) spins for ever on a reset that comes while the socket answers the other side's FIN.
    if (this.#gone === undefined) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  close(): void {
    this.#socket.destroy()
  }

  #data(bytes: Buffer): void {
    const reader = this.#reader
    if (reader === undefined || reader.done) {
      this.#rest = Buffer.concat([this.#rest, bytes])
      return
    }
    this.#rest = Buffer.alloc(0)
    this.#firstByteAt ??= performance.now()
    this.#announce()
    try {
      reader.push(bytes)
    } catch (error) {
      this.#fail(error)
      this.#socket.destroy()
      return
    }
    if (reader.done) this.#finish(reader)
  }

  #finish(reader: AnswerReader): void {
    this.#rest = reader.rest
    this.#settle?.({ kind: 'answer', answer: reader.answer() })
  }

  #ended(): void {
    this.#gone ??= new WireError('CLOSED', 'the connection was closed without an answer')
    this.#announce()
    const reader = this.#reader
    if (reader === undefined || this.#settle === undefined) return
    try {
      reader.end()
      this.#finish(reader)
    } catch (error) {
      this.#fail(error)
    }
  }

  #lost(error: WireError): void {
    this.#gone = error
    this.#announce()
    this.#fail(error)
  }

  #announce(): void {
    for (const seen of this.#seen.splice(0)) seen()
  }

  #fail(error: unknown): void {
    const known = error instanceof WireError ? error : new WireError('ERROR', String(error))
    this.#settle?.({ kind: 'none', code: known.code, reason: known.message })
  }
}

function dial(origin: Origin, trust: Trust): Socket {
  if (!origin.secure) return connectTcp({ host: origin.host, port: origin.port })
  return connectTls({
    host: origin.host,
    port: origin.port,
    rejectUnauthorized: !trust.insecure,
    ALPNProtocols: ['http/1.1'],
    ...(isName(origin.host) ? { servername: origin.host } : {}),
    ...(trust.ca === undefined ? {} : { ca: trust.ca }),
  })
}

function isName(host: string): boolean {
  return !/^[\d.]+$/.test(host) && !host.includes(':')
}

const sentences: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused: nothing listens there',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed while the request was being sent',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'the connection timed out',
  EHOSTUNREACH: 'the host cannot be reached',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate is self-signed (give --cacert FILE, or --insecure)',
  SELF_SIGNED_CERT_IN_CHAIN: 'the certificate chain is self-signed (give --cacert FILE, or --insecure)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate cannot be verified (give --cacert FILE, or --insecure)',
  CERT_HAS_EXPIRED: 'the certificate has expired (--insecure to go on regardless)',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is for another host name (--insecure to go on regardless)',
}

export function describe(error: NodeJS.ErrnoException): WireError {
  const code = error.code ?? 'ERROR'
  const sentence = sentences[code]
  if (sentence !== undefined) return new WireError(code, sentence)
  if (/wrong version number|packet length too long/i.test(error.message)) {
    return new WireError(code, 'the other side does not speak TLS (is it http:// rather than https://?)')
  }
  return new WireError(code, error.message === '' ? code : error.message)
}
