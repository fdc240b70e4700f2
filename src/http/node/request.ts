import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Unsubscribe } from '../../core/store.ts'
import { decodeContent } from '../content-coding.ts'
import type { RequestBody, RequestView } from '../guard.ts'
import { shieldRequest } from './detached.ts'

/** What an adapter knows of a request besides Node's own object. */
export interface NodeRequest<Request> {
  /** The framework's own request, which the options get. */
  readonly native: Request
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Path and query as the client sent them. */
  readonly target: string
  /** What a parser that ran before left, or `undefined`. */
  readonly parsedBody: unknown
  /** The bytes that it parsed, decoded, where the framework keeps them. */
  readonly rawBody?: Uint8Array | undefined
}

export function nodeRequestView<Request>(shown: NodeRequest<Request>): RequestView<Request> {
  return new NodeRequestView(shown)
}

class NodeRequestView<Request> implements RequestView<Request> {
  readonly #shown: NodeRequest<Request>

  constructor(shown: NodeRequest<Request>) {
    this.#shown = shown
  }

  get native(): Request {
    return this.#shown.native
  }

  get method(): string {
    return this.#shown.request.method ?? ''
  }

  get target(): string {
    return this.#shown.target
  }

  get contentType(): string | undefined {
    return this.#shown.request.headers['content-type']
  }

  fieldLines(name: string): readonly string[] {
    return fieldLines(this.#shown.request.rawHeaders, name)
  }

  body(maxBytes: number): RequestBody | Promise<RequestBody> {
    const { request, parsedBody, rawBody } = this.#shown
    return rawBody === undefined ? readBody(request, parsedBody, maxBytes) : keptBody(rawBody, maxBytes)
  }

  onGone(listener: () => void): Unsubscribe {
    const { response } = this.#shown
    response.once('close', listener)
    return () => response.off('close', listener)
  }
}

/** `request.headers` joins repeated lines, and a repeated key must be told from one key. */
function fieldLines(rawHeaders: readonly string[], name: string): string[] {
  const lines: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const given = rawHeaders[index]
    if (given?.length === name.length && given.toLowerCase() === name) lines.push(rawHeaders[index + 1] ?? '')
  }
  return lines
}

function keptBody(bytes: Uint8Array, maxBytes: number): RequestBody {
  return bytes.length > maxBytes ? { kind: 'too-large' } : { kind: 'bytes', bytes, decoded: bytes }
}

function readBody(
  request: IncomingMessage,
  parsedBody: unknown,
  maxBytes: number,
): RequestBody | Promise<RequestBody> {
  if (hasNoBody(request)) return bytesBody(request, Buffer.alloc(0), maxBytes)
  if (wasRead(request)) return parsedBefore(request, parsedBody)
  if (declaredLength(request) > maxBytes) return { kind: 'too-large' }
  return readWhole(request, maxBytes)
}

function hasNoBody(request: IncomingMessage): boolean {
  // Whole and empty: to listen to it now would make it say `end` before a parser listens.
  if (isComplete(request) && request.readableLength === 0 && !wasRead(request)) return true
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  // HTTP/2 may send a body with neither field; only the end of its stream tells.
  if (request.httpVersionMajor > 1) return false
  return coding === undefined && (length === undefined || Number(length) === 0)
}

function wasRead(request: IncomingMessage): boolean {
  return request.readableDidRead || request.readableEnded
}

/**
 * A value that stands for a multipart body leaves its files out, so two uploads would seem the same: only the
 * bytes will do.
 */
function parsedBefore(request: IncomingMessage, parsedBody: unknown): RequestBody {
  const multipart = request.headers['content-type']?.trim().toLowerCase().startsWith('multipart/') ?? false
  if (parsedBody === undefined || multipart || !request.readableEnded) return { kind: 'consumed' }
  if (isEmptyObject(parsedBody) && !mayBeObject(request)) return { kind: 'consumed' }
  return { kind: 'value', value: parsedBody }
}

/** Express 4's parsers leave `{}` for a body of another type than theirs, and whoever read it left no value. */
function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    Object.keys(value).length === 0
  )
}

function mayBeObject(request: IncomingMessage): boolean {
  return /json|x-www-form-urlencoded/i.test(request.headers['content-type'] ?? '')
}

function declaredLength(request: IncomingMessage): number {
  return Number(request.headers['content-length'] ?? 0)
}

function bytesBody(
  request: IncomingMessage,
  bytes: Uint8Array,
  maxBytes: number,
): RequestBody | Promise<RequestBody> {
  const coding = request.headers['content-encoding']
  if (coding === undefined) return { kind: 'bytes', bytes, decoded: bytes }
  return decodeContent(bytes, coding, maxBytes).then((decoded) => ({
    kind: 'bytes',
    bytes,
    decoded: decoded ?? bytes,
  }))
}

/**
 * Reads the whole body and puts it back, so that a parser behind hapax finds the stream as if nobody had
 * touched it. Bytes can be put back only before the stream has said `end`: that is why this listens to
 * `readable`, in whose last call the message is complete and `end` has not been emitted yet.
 */
function readWhole(request: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0

    function onReadable(): void {
      // To read an empty stream that has ended would make it say `end` before a parser listens.
      while (request.readableLength > 0) {
        const chunk: Buffer | null = request.read()
        if (chunk === null) break
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > maxBytes) {
          finish({ kind: 'too-large' })
          // The rest has to be taken off the connection, or it would never be free for another request.
          request.resume()
          return
        }
      }
      if (!isComplete(request)) return
      const whole = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
      if (whole.length > 0) request.unshift(whole)
      else tellLateListeners(request)
      shieldRequest(request)
      finish(bytesBody(request, whole, maxBytes))
    }
    function onGone(): void {
      finish({ kind: 'incomplete' })
    }
    function finish(result: RequestBody | Promise<RequestBody>): void {
      request.off('readable', onReadable)
      request.off('close', onGone)
      request.off('error', onGone)
      resolve(result)
    }

    request.on('readable', onReadable)
    request.on('close', onGone)
    request.on('error', onGone)
    if (request.destroyed) onGone()
  })
}

/**
 * Requests of Fastify's `inject` are streams of their own kind, and have no `complete`; those of HTTP/2 say it only once
 * they have said `end`.
 */
function isComplete(request: { readonly complete?: boolean; readonly httpVersionMajor?: number }): boolean {
  const state: { readonly ended?: boolean } | undefined = Reflect.get(request, '_readableState')
  if (request.complete === undefined || request.httpVersionMajor === 2) return state?.ended === true
  return request.complete
}

/** An empty stream has said `end` by now and can't say it again, so each that listens for it later is told. */
function tellLateListeners(request: IncomingMessage): void {
  request.on('newListener', (event: string, listener: (...args: unknown[]) => void) => {
    if (event === 'end' && request.readableEnded) process.nextTick(() => Reflect.apply(listener, request, []))
  })
}
