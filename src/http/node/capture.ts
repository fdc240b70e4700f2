import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { HeaderList, StoredResponse, TombstoneReason } from '../../core/record.ts'
import { entombed } from '../../core/tombstone.ts'
import { CapturedBody } from '../captured-body.ts'
import { WithheldBytes } from '../withheld-bytes.ts'
import { type MethodsOfResponse, replaceMethods } from './captured-methods.ts'
import type { CapturedRun, OriginalMethods } from './captured-run.ts'
import { type Callback, type DataArguments, toBytes } from './data-arguments.ts'
import { cutOffHere, detachFromClient, endDetached, onLateDestroy } from './detached.ts'
import {
  applyHeaders,
  changedHeaders,
  type HeaderSnapshot,
  restoreHeaders,
  snapshotOf,
  trailerList,
} from './headers.ts'
import { lastChunk } from './last-chunk.ts'
import { PipedSource } from './piped-source.ts'
import {
  alreadyFinished,
  destroyed,
  headersSentError,
  validStatus,
  writeAfterEnd,
} from './response-errors.ts'
import { type HeaderSeal, sealHeaders, unsealHeaders } from './sealed-headers.ts'

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
  const capture = new ResponseCapture(response, run)
  replaceMethods(response, capture)
  if (response.destroyed) capture.onClientGone()
}

interface Head {
  readonly status: number
  readonly reason: string | undefined
  readonly headers: HeaderList
}

class ResponseCapture implements MethodsOfResponse {
  readonly #response: ServerResponse
  readonly #run: CapturedRun
  readonly #before: HeaderSnapshot
  readonly #original: OriginalMethods
  #head: Head | undefined
  #headSent = false
  readonly #body: CapturedBody
  readonly #withheld = new WithheldBytes()
  #trailers: HeaderList | undefined
  /** The handler has said all it has to say. */
  #ended = false
  /** What it ended with, where that was text in UTF-8. */
  #lastText: string | undefined
  /** It ended by giving up the body. */
  #gaveUp = false
  /** The head came with `end`, so that the body's length was known when it was written. */
  #headKnowsLength = false
  /** `headersSent` and `writableEnded` answered for the handler; from here on Node's own state answers. */
  #handedBack = false
  #seal: HeaderSeal | undefined
  /** Layers further out may change headers, and some ask `headersSent` first: Next's `setHeader` does. */
  #headLeaving = false
  /** The record is settled and the rest of the answer was let go. */
  #released = false
  #clientGone = false
  #timedOut = false
  readonly #source = new PipedSource(() => {
    if (this.#clientGone && !this.#ended) this.#giveUpSource()
  })

  constructor(response: ServerResponse, run: CapturedRun) {
    this.#response = response
    this.#run = run
    this.#before = snapshotOf(response)
    this.#body = new CapturedBody(run.maxResponseBytes)
    const { writeHead, write, end, flushHeaders, destroy, emit, addTrailers } = response
    this.#original = { writeHead, write, end, flushHeaders, destroy, emit, addTrailers }
  }

  get headersSent(): unknown {
    const ours = !this.#handedBack && !this.#headLeaving
    return ours ? this.#head !== undefined : nodesOwn(this.#response, 'headersSent')
  }

  get writableEnded(): unknown {
    return this.#handedBack ? nodesOwn(this.#response, 'writableEnded') : this.#ended
  }

  writeHead(givenStatus: number, rest: readonly unknown[]): ServerResponse {
    const status = validStatus(givenStatus)
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
    this.#commitHead(status, reason ?? reasonSet(this.#response))
    return this.#response
  }

  /** From here on the head is what the record says, although it may not have left yet. */
  #commitHead(status: number, reason: string | undefined): void {
    const headers = changedHeaders(this.#response, this.#before)
    this.#run.onHead(headers)
    this.#head = { status, reason, headers: this.#run.recordable(headers) }
    this.#response.statusCode = status
    this.#seal = sealHeaders(this.#response)
  }

  write({ chunk, encoding, callback }: DataArguments): boolean {
    // `end` writes through here in some subclasses of Node's response: that of Fastify's `inject` does.
    if (this.#handedBack) return this.#original.write.call(this.#response, toBytes(chunk, encoding), callback)
    if (this.#ended) return this.#refuseWrite(callback ?? (() => {}))
    const bytes = toBytes(chunk, encoding)
    this.#implicitHead()
    this.#capture(bytes)
    if (this.#clientGone || this.#hasNoBody()) return settled(callback)
    this.#sendHead()
    return this.#send(bytes, callback)
  }

  end({ chunk, encoding, callback }: DataArguments): ServerResponse {
    if (this.#ended) {
      if (chunk) this.#refuseWrite(callback ?? (() => {}))
      else if (callback !== undefined) this.#onFinished(callback)
      return this.#response
    }
    const bytes = chunk === null ? undefined : toBytes(chunk, encoding)
    this.#headKnowsLength = this.#head === undefined
    this.#implicitHead()
    this.#ended = true
    if (bytes !== undefined) this.#capture(bytes)
    if (typeof chunk === 'string' && (encoding ?? 'utf8') === 'utf8') this.#lastText = chunk
    this.#finish(this.#storedResponse(), bytes, callback)
    return this.#response
  }

  flushHeaders(): void {
    if (this.#ended) return
    this.#implicitHead()
    // Without a body to come, the headers are the whole answer and wait for `end`.
    if (this.#clientGone || this.#hasNoBody() || this.#declaredLength() === 0) return
    this.#sendHead()
    this.#original.flushHeaders.call(this.#response)
  }

  addTrailers(trailers: OutgoingHttpHeaders): void {
    if (this.#ended) return
    this.#original.addTrailers.call(this.#response, trailers)
    // A second call replaces what the first one added: so it is in Node.
    this.#trailers = trailerList(trailers)
  }

  /** A handler that destroys its response gives up the body; the effect stays. */
  destroy(error: Error | undefined): ServerResponse {
    if (!this.#ended) this.#giveUpBody('cut-short')
    return this.#clientGone ? this.#response : this.#original.destroy.call(this.#response, error)
  }

  emit(event: string, args: unknown[]): boolean {
    // A handler that gave up its answer knows; any other must not notice.
    if (event === 'close' && !this.#released && !(this.#gaveUp && !this.#clientGone)) {
      this.onClientGone()
      return true
    }
    if (event === 'timeout') this.#timedOut = true
    if (event === 'pipe') this.#source.begin(args[0])
    if (event === 'unpipe') this.#source.end()
    return this.#original.emit.call(this.#response, event, ...args)
  }

  /**
   * The handler must not notice that its client left: a `pipeline` would fail with a premature close and cut
   * the recorded body short. So writes are absorbed, the response looks alive, and `close` comes at the end.
   */
  onClientGone(): void {
    if (this.#clientGone) return
    this.#clientGone = true
    const { socket } = this.#response.req
    const cutHere = !this.#timedOut && cutOffHere(socket)
    detachFromClient(this.#response)
    this.#original.emit.call(this.#response, 'drain')
    if (this.#ended) return
    if (this.#source.broke) this.#giveUpSource()
    else if (this.#body.overflowed) this.#giveUpBody('too-large')
    else if (cutHere) this.#onConnectionCut()
    else onLateDestroy(socket, () => this.#onConnectionCut())
  }

  /**
   * What error handlers do when an error comes too late to be answered: Express destroys the connection after
   * the head was sent. Nobody will call `end` then. Before the head, the handler still runs.
   */
  #onConnectionCut(): void {
    if (!this.#ended && this.#head !== undefined) this.#giveUpBody('cut-short')
  }

  /** The handler had decided on its answer when it began to pipe, whether or not a byte came through. */
  #giveUpSource(): void {
    this.#implicitHead()
    this.#giveUpBody('cut-short')
  }

  #giveUpBody(reason: TombstoneReason): void {
    this.#ended = true
    this.#gaveUp = true
    // A handler that gives up before it chose a status has failed.
    const { status, headers } = this.#head ?? { status: 500, headers: [] }
    const seen: StoredResponse = { kind: 'kept', status, headers, body: new Uint8Array() }
    this.#finish(entombed(seen, reason), undefined, undefined)
  }

  // Not an async function: each request passes here.
  #finish(stored: StoredResponse, last: Buffer | undefined, callback: Callback | undefined): void {
    void this.#run.finish(stored).then((finished) => {
      try {
        if (finished === 'withheld') this.#withdraw()
        else this.#release(last, callback)
      } catch (error) {
        // Node refused to send it, or a layer further out threw, and there is no handler left to be told. The
        // record stands, so a retry gets the answer or the same refusal.
        this.#original.destroy.call(this.#response, error instanceof Error ? error : undefined)
      }
    })
  }

  #release(last: Buffer | undefined, callback: Callback | undefined): void {
    this.#released = true
    this.#body.drop()
    const response = this.#response
    if (this.#clientGone) return this.#endDetached(callback)
    if (response.destroyed) return
    if (!this.#headSent) this.#declareLength(last?.length ?? 0)
    this.#sendHead()
    this.#handedBack = true
    const rest = this.#hasNoBody() ? undefined : this.#withheld.rest(last)
    const text = rest === last ? this.#lastText : undefined
    this.#original.end.call(response, rest && lastChunk(rest, text), 'latin1', callback)
  }

  /** Another run took over: this answer must not be told as if it were the truth. */
  #withdraw(): void {
    this.#released = true
    const response = this.#response
    if (this.#clientGone) return this.#endDetached(undefined)
    if (this.#headSent || response.destroyed) {
      this.#original.destroy.call(response)
      return
    }
    this.#unsealHeaders()
    restoreHeaders(response, this.#before)
    Object.assign(response, this.#original)
    this.#handedBack = true
    this.#run.refuse(response)
  }

  #implicitHead(): void {
    // Through the response, so that whoever wrapped `writeHead` further in has a last say on the headers.
    if (this.#head === undefined) this.#response.writeHead(this.#response.statusCode)
  }

  #sendHead(): void {
    if (this.#headSent || this.#head === undefined) return
    this.#headSent = true
    this.#unsealHeaders()
    this.#run.decorate(this.#response)
    const { status, reason } = this.#head
    if (reason === undefined || reason === '') this.#original.writeHead.call(this.#response, status)
    else this.#original.writeHead.call(this.#response, status, reason)
  }

  #unsealHeaders(): void {
    if (this.#seal !== undefined) unsealHeaders(this.#response, this.#seal)
    this.#seal = undefined
    this.#headLeaving = true
  }

  /** Node would do the same for `end(body)`, but only when its own head is still unwritten. */
  #declareLength(bytes: number): void {
    const response = this.#response
    if (!this.#headKnowsLength || this.#hasNoBody()) return
    if (response.hasHeader('content-length') || response.hasHeader('transfer-encoding')) return
    if (this.#trailers !== undefined || response.hasHeader('trailer')) return
    this.#unsealHeaders()
    response.setHeader('Content-Length', bytes)
  }

  #send(bytes: Buffer, callback: Callback | undefined): boolean {
    const now = this.#withheld.pass(bytes, this.#declaredLength())
    return now === undefined ? settled(callback) : this.#original.write.call(this.#response, now, callback)
  }

  #capture(bytes: Buffer): void {
    if (this.#hasNoBody()) return
    this.#body.add(bytes)
    // Nobody reads and nobody can replay it: let a handler that streams without end hear that it may stop.
    if (this.#body.overflowed && this.#clientGone && !this.#ended) this.#giveUpBody('too-large')
  }

  #storedResponse(): StoredResponse {
    const { status, headers } = this.#head ?? { status: this.#response.statusCode, headers: [] }
    const kept: StoredResponse = {
      kind: 'kept',
      status,
      headers,
      ...(this.#trailers !== undefined && { trailers: this.#trailers }),
      body: this.#body.bytes(),
    }
    return this.#body.overflowed ? entombed(kept, 'too-large') : kept
  }

  #declaredLength(): number | undefined {
    const length = this.#response.getHeader('content-length')
    return length === undefined ? undefined : Number(length)
  }

  #hasNoBody(): boolean {
    const status = this.#head?.status ?? this.#response.statusCode
    return status === 204 || status === 304 || status < 200 || this.#response.req.method === 'HEAD'
  }

  /** As Node does: an error event for a write after the end, none where the response was destroyed. */
  #refuseWrite(callback: Callback): false {
    if (this.#gaveUp || this.#response.destroyed) {
      process.nextTick(callback, destroyed())
      return false
    }
    const error = writeAfterEnd()
    process.nextTick(() => {
      callback(error)
      if (!this.#response.destroyed) this.#original.emit.call(this.#response, 'error', error)
    })
    return false
  }

  #onFinished(callback: Callback): void {
    if (this.#response.writableFinished) process.nextTick(callback, alreadyFinished())
    else this.#response.once('finish', () => callback())
  }

  #endDetached(callback: Callback | undefined): void {
    endDetached(this.#response, { emit: this.#original.emit, finished: !this.#gaveUp, callback })
  }
}

/** HTTP/2 has no such thing, and Node warns whoever asks for it. */
function reasonSet(response: ServerResponse): string | undefined {
  return response.req.httpVersionMajor > 1 ? undefined : response.statusMessage
}

/** By the prototype's getter: deleting the one on the response would make it slow for Node's own code. */
function nodesOwn(response: ServerResponse, name: 'headersSent' | 'writableEnded'): unknown {
  return Reflect.get(Object.getPrototypeOf(response), name, response)
}

function settled(callback: Callback | undefined): true {
  if (callback !== undefined) process.nextTick(callback)
  return true
}
