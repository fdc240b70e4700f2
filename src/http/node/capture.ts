import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Finished } from '../../core/lease.ts'
import type { HeaderList, StoredResponse, TombstoneReason } from '../../core/record.ts'
import { entombed } from '../../core/tombstone.ts'
import { type Callback, type Chunk, dataArguments, toBytes } from './data-arguments.ts'
import { detachFromClient, endDetached } from './detached.ts'
import { applyHeaders, changedHeaders, type HeaderSnapshot, restoreHeaders, snapshotOf } from './headers.ts'
import { sealHeaders, unsealHeaders } from './sealed-headers.ts'

/** What a capture needs to know and to tell. */
export interface CapturedRun {
  readonly maxResponseBytes: number
  /** Records the answer. Never rejects. */
  finish(response: StoredResponse): Promise<Finished>
  /** Picks the headers that a record keeps. */
  recordable(headers: HeaderList): HeaderList
  /** The handler has decided on status and headers; `headers` are those it set or changed. */
  onHead(headers: HeaderList): void
  /** Adds this exchange's own headers, just before they leave. */
  decorate(response: ServerResponse): void
  /** Answers in place of the handler whose lease was lost, before anything was sent. */
  refuse(response: ServerResponse): void
}

/**
 * Lets a handler's answer through as it is written, keeps a copy, and holds back what would complete it for
 * the client until the record is durable: the last byte of a body with a declared length, the headers of an
 * answer without body, else the end of the stream.
 *
 * The methods are replaced on the response object itself, since frameworks hand on that one object. Whoever
 * replaced them before (a compression mounted outside) is called through; whoever replaces them later (one
 * mounted inside) calls through these.
 */
export function captureResponse(response: ServerResponse, run: CapturedRun): void {
  new ResponseCapture(response, run).install()
}

interface Head {
  readonly status: number
  readonly reason: string | undefined
  readonly headers: HeaderList
}

/** The methods that stood on the response before, in the one form each that is used here. */
interface OriginalMethods {
  writeHead(status: number, reason?: string): unknown
  write(chunk: Buffer, callback?: Callback): boolean
  end(chunk: Buffer | undefined, callback?: Callback): unknown
  flushHeaders(): void
  destroy(error?: Error): ServerResponse
  emit(event: string, ...args: unknown[]): boolean
  addTrailers(trailers: OutgoingHttpHeaders): void
}

class ResponseCapture {
  readonly #response: ServerResponse
  readonly #run: CapturedRun
  readonly #before: HeaderSnapshot
  readonly #original: OriginalMethods
  #head: Head | undefined
  #headSent = false
  #chunks: Buffer[] = []
  #capturedBytes = 0
  #trailers: HeaderList | undefined
  /** Of the declared length, how much went to the client and what is held back. */
  #sentBytes = 0
  #heldByte: Buffer | undefined
  /** The handler has said all it has to say. */
  #ended = false
  /** The record is settled and the rest of the answer was let go. */
  #released = false
  #clientGone = false
  /** What is piped into the response, and whether it closed before its end. */
  #source: NodeJS.ReadableStream | undefined
  #sourceBroke = false

  constructor(response: ServerResponse, run: CapturedRun) {
    this.#response = response
    this.#run = run
    this.#before = snapshotOf(response)
    const { writeHead, write, end, flushHeaders, destroy, emit, addTrailers } = response
    this.#original = { writeHead, write, end, flushHeaders, destroy, emit, addTrailers }
  }

  install(): void {
    const response = this.#response
    const own = this.#methods()
    Object.assign(response, own)
    Object.defineProperty(response, 'headersSent', {
      configurable: true,
      get: () => this.#head !== undefined,
    })
    Object.defineProperty(response, 'writableEnded', { configurable: true, get: () => this.#ended })
    if (response.destroyed) this.#onClientGone()
  }

  #methods(): Record<string, unknown> {
    return {
      writeHead: (status: number, ...rest: unknown[]) => this.#writeHead(status, ...rest),
      write: (...args: unknown[]) => this.#write(...dataArguments(args)),
      end: (...args: unknown[]) => this.#end(...dataArguments(args)),
      flushHeaders: () => this.#flushHeaders(),
      addTrailers: (trailers: OutgoingHttpHeaders) => this.#addTrailers(trailers),
      destroy: (error?: Error) => this.#destroy(error),
      emit: (event: string, ...args: unknown[]) => this.#emit(event, args),
    }
  }

  #writeHead(status: number, ...rest: unknown[]): ServerResponse {
    const reason = typeof rest[0] === 'string' ? rest[0] : undefined
    const headers = (typeof rest[0] === 'string' ? rest[1] : (rest[0] ?? rest[1])) as
      | OutgoingHttpHeaders
      | OutgoingHttpHeader[]
      | undefined
    if (this.#head !== undefined) {
      // A compression mounted inside asks again for the implicit head on each write, which changes nothing.
      if (status === this.#head.status && headers === undefined) return this.#response
      throw headersSentError('write')
    }
    if (headers !== undefined) applyHeaders(this.#response, headers)
    this.#commitHead(status, reason ?? this.#response.statusMessage)
    return this.#response
  }

  /** From here on the head is what the record says, although it may not have left yet. */
  #commitHead(status: number, reason: string | undefined): void {
    const headers = changedHeaders(this.#response, this.#before)
    this.#run.onHead(headers)
    this.#head = { status, reason, headers: this.#run.recordable(headers) }
    this.#response.statusCode = status
    sealHeaders(this.#response)
  }

  #write(chunk: Chunk, encoding: BufferEncoding | undefined, callback: Callback | undefined): boolean {
    if (this.#ended) return this.#writeAfterEnd(callback)
    const bytes = toBytes(chunk, encoding)
    this.#capture(bytes)
    this.#implicitHead()
    if (this.#clientGone || this.#hasNoBody()) return settled(callback)
    this.#sendHead()
    return this.#send(bytes, callback)
  }

  #end(
    chunk: Chunk | undefined,
    encoding: BufferEncoding | undefined,
    callback: Callback | undefined,
  ): ServerResponse {
    if (this.#ended) {
      if (callback) process.nextTick(callback, alreadyFinished())
      return this.#response
    }
    const bytes = chunk === undefined || chunk === null ? undefined : toBytes(chunk, encoding)
    if (bytes !== undefined) this.#capture(bytes)
    this.#implicitHead()
    this.#ended = true
    void this.#finish(this.#storedResponse(), bytes, callback)
    return this.#response
  }

  #flushHeaders(): void {
    this.#implicitHead()
    // Without a body to come, the headers are the whole answer and wait for `end`.
    if (this.#clientGone || this.#hasNoBody() || this.#declaredLength() === 0) return
    this.#sendHead()
    this.#original.flushHeaders.call(this.#response)
  }

  #addTrailers(trailers: OutgoingHttpHeaders): void {
    const added = Object.entries(trailers).map(([name, value]): [string, string] => [name, String(value)])
    this.#trailers = [...(this.#trailers ?? []), ...added]
    this.#original.addTrailers.call(this.#response, trailers)
  }

  /** A handler that destroys its response gives up the body; the effect stays. */
  #destroy(error: Error | undefined): ServerResponse {
    if (!this.#ended) this.#giveUpBody('cut-short')
    return this.#clientGone ? this.#response : this.#original.destroy.call(this.#response, error)
  }

  #emit(event: string, args: unknown[]): boolean {
    if (event === 'close' && !this.#released) {
      this.#onClientGone()
      return true
    }
    if (event === 'pipe') this.#watchSource(args[0])
    if (event === 'unpipe') this.#source = undefined
    return this.#original.emit.call(this.#response, event, ...args)
  }

  /**
   * The handler must not notice that its client left: a `pipeline` would fail with a premature close and cut
   * the recorded body short. So writes are absorbed, the response looks alive, and `close` comes at the end.
   */
  #onClientGone(): void {
    if (this.#clientGone) return
    this.#clientGone = true
    detachFromClient(this.#response)
    this.#original.emit.call(this.#response, 'drain')
    if (this.#ended) return
    if (this.#sourceBroke) this.#giveUpBody('cut-short')
    else if (this.#overflowed()) this.#giveUpBody('too-large')
  }

  /** `sendFile` destroys its file when the client leaves: nobody will ever call `end`. */
  #watchSource(source: unknown): void {
    // Node emits `pipe` with the stream that writes from now on.
    const readable = source as NodeJS.ReadableStream & { readonly readableEnded?: boolean }
    this.#source = readable
    readable.once('close', () => {
      if (readable.readableEnded === true) return
      setImmediate(() => {
        if (this.#ended || this.#source !== readable) return
        this.#sourceBroke = true
        if (this.#clientGone) this.#giveUpBody('cut-short')
      })
    })
  }

  #giveUpBody(reason: TombstoneReason): void {
    this.#ended = true
    // A handler that gives up before it chose a status has failed.
    const { status, headers } = this.#head ?? { status: 500, headers: [] }
    const seen: StoredResponse = { kind: 'kept', status, headers, body: new Uint8Array() }
    void this.#finish(entombed(seen, reason), undefined, undefined)
  }

  async #finish(
    stored: StoredResponse,
    last: Buffer | undefined,
    callback: Callback | undefined,
  ): Promise<void> {
    const finished = await this.#run.finish(stored)
    if (finished === 'stale') this.#withdraw()
    else this.#release(last, callback)
  }

  #release(last: Buffer | undefined, callback: Callback | undefined): void {
    this.#released = true
    this.#chunks = []
    const response = this.#response
    if (this.#clientGone) return endDetached(response, this.#original.emit, callback)
    if (response.destroyed) return
    if (!this.#headSent) this.#declareLength(last?.length ?? 0)
    this.#sendHead()
    const rest =
      this.#heldByte !== undefined && last !== undefined
        ? Buffer.concat([this.#heldByte, last])
        : (this.#heldByte ?? last)
    // The getters answered for the handler; Node's own state answers from here on.
    Reflect.deleteProperty(response, 'writableEnded')
    Reflect.deleteProperty(response, 'headersSent')
    this.#original.end.call(response, this.#hasNoBody() ? undefined : rest, callback)
  }

  /** Another run took over: this answer must not be told as if it were the truth. */
  #withdraw(): void {
    this.#released = true
    const response = this.#response
    if (this.#clientGone) return endDetached(response, this.#original.emit, undefined)
    if (this.#headSent || response.destroyed) {
      this.#original.destroy.call(response)
      return
    }
    unsealHeaders(response)
    restoreHeaders(response, this.#before)
    Object.assign(response, this.#original)
    Reflect.deleteProperty(response, 'writableEnded')
    Reflect.deleteProperty(response, 'headersSent')
    this.#run.refuse(response)
  }

  #implicitHead(): void {
    // Through the response, so that whoever wrapped `writeHead` further in has a last say on the headers.
    if (this.#head === undefined) this.#response.writeHead(this.#response.statusCode)
  }

  #sendHead(): void {
    if (this.#headSent || this.#head === undefined) return
    this.#headSent = true
    unsealHeaders(this.#response)
    this.#run.decorate(this.#response)
    const { status, reason } = this.#head
    if (reason === undefined || reason === '') this.#original.writeHead.call(this.#response, status)
    else this.#original.writeHead.call(this.#response, status, reason)
  }

  /** Node would do the same for `end(body)`, but only when its own head is still unwritten. */
  #declareLength(bytes: number): void {
    const response = this.#response
    if (this.#hasNoBody() || response.hasHeader('content-length') || response.hasHeader('transfer-encoding'))
      return
    if (this.#trailers !== undefined || response.hasHeader('trailer')) return
    unsealHeaders(response)
    response.setHeader('Content-Length', bytes)
  }

  #send(bytes: Buffer, callback: Callback | undefined): boolean {
    const declared = this.#declaredLength()
    const completes = declared !== undefined && this.#sentBytes + bytes.length >= declared
    if (!completes || this.#heldByte !== undefined || bytes.length === 0) {
      this.#sentBytes += bytes.length
      return this.#original.write.call(this.#response, bytes, callback)
    }
    this.#heldByte = bytes.subarray(bytes.length - 1)
    const now = bytes.subarray(0, bytes.length - 1)
    this.#sentBytes += now.length
    return now.length === 0 ? settled(callback) : this.#original.write.call(this.#response, now, callback)
  }

  #capture(bytes: Buffer): void {
    this.#capturedBytes += bytes.length
    if (!this.#overflowed()) {
      this.#chunks.push(bytes)
      return
    }
    this.#chunks = []
    // Nobody reads and nobody can replay it: let a handler that streams without end hear that it may stop.
    if (this.#clientGone && !this.#ended) this.#giveUpBody('too-large')
  }

  #overflowed(): boolean {
    return this.#capturedBytes > this.#run.maxResponseBytes
  }

  #storedResponse(): StoredResponse {
    const { status, headers } = this.#head ?? { status: this.#response.statusCode, headers: [] }
    const body =
      this.#chunks.length === 1 && this.#chunks[0] !== undefined
        ? this.#chunks[0]
        : Buffer.concat(this.#chunks)
    const kept: StoredResponse = {
      kind: 'kept',
      status,
      headers,
      ...(this.#trailers !== undefined && { trailers: this.#trailers }),
      body: this.#hasNoBody() ? new Uint8Array() : body,
    }
    return this.#overflowed() ? entombed(kept, 'too-large') : kept
  }

  #declaredLength(): number | undefined {
    const length = this.#response.getHeader('content-length')
    return length === undefined ? undefined : Number(length)
  }

  #hasNoBody(): boolean {
    const status = this.#head?.status ?? this.#response.statusCode
    return status === 204 || status === 304 || status < 200 || this.#response.req.method === 'HEAD'
  }

  #writeAfterEnd(callback: Callback | undefined): false {
    const error = Object.assign(new Error('write after end'), { code: 'ERR_STREAM_WRITE_AFTER_END' })
    process.nextTick(() => {
      callback?.(error)
      this.#original.emit.call(this.#response, 'error', error)
    })
    return false
  }
}

function settled(callback: Callback | undefined): true {
  if (callback !== undefined) process.nextTick(callback)
  return true
}

function alreadyFinished(): Error {
  return Object.assign(new Error('Cannot call end after a stream was finished'), {
    code: 'ERR_STREAM_ALREADY_FINISHED',
  })
}

function headersSentError(action: string): Error {
  return Object.assign(new Error(`Cannot ${action} headers after they are sent to the client`), {
    code: 'ERR_HTTP_HEADERS_SENT',
  })
}
