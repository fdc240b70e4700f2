import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Unsubscribe } from '../../core/store.ts'
import type { RequestBody, RequestView } from '../guard.ts'
import { readBody } from './request-body.ts'

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
    const { rawBody } = this.#shown
    if (rawBody !== undefined) return keptBody(rawBody, maxBytes)
    return readBody(this.#shown, maxBytes)
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
