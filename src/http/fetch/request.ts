import type { Unsubscribe } from '../../core/store.ts'
import { decodeContent } from '../content-coding.ts'
import type { RequestBody, RequestView } from '../guard.ts'
import { joined } from '../joined.ts'
import { discardRest } from './discarded-body.ts'
import { type UnreadMessage, unreadMessageOf } from './light.ts'
import { canBePutBack, putBack } from './node-streams.ts'

/** What an adapter knows of a request besides the `Request` itself. */
export interface FetchRequest<Native> {
  /** What the options get: the framework's own request or context. */
  readonly native: Native
  readonly request: Request
  /** What the framework keeps of a body that was read before. */
  readonly readBefore?: ((native: Native) => Promise<Uint8Array | undefined>) | undefined
}

/** One object for each request, where functions that close over it would be six. */
export class FetchRequestView<Native> implements RequestView<Native> {
  readonly native: Native
  readonly #request: Request
  readonly #readBefore: FetchRequest<Native>['readBefore']

  constructor({ native, request, readBefore }: FetchRequest<Native>) {
    this.native = native
    this.#request = request
    this.#readBefore = readBefore
  }

  get method(): string {
    return this.#request.method
  }

  get target(): string {
    const { pathname, search } = new URL(this.#request.url)
    return pathname + search
  }

  get contentType(): string | undefined {
    return this.#request.headers.get('content-type') ?? undefined
  }

  /** `Headers` joins repeated lines with a comma, which no key has. */
  fieldLines(name: string): readonly string[] {
    const value = this.#request.headers.get(name)
    return value === null ? [] : [value]
  }

  async body(maxBytes: number): Promise<RequestBody> {
    const request = this.#request
    const bytes = await (request.bodyUsed ? this.#readBefore?.(this.native) : readWhole(request, maxBytes))
    if (!(bytes instanceof Uint8Array)) return { kind: bytes ?? 'consumed' }
    return decoded(request, bytes, maxBytes)
  }

  onGone(listener: () => void): Unsubscribe {
    const { signal } = this.#request
    signal.addEventListener('abort', listener, { once: true })
    return () => signal.removeEventListener('abort', listener)
  }
}

async function decoded(request: Request, bytes: Uint8Array, maxBytes: number): Promise<RequestBody> {
  const coding = request.headers.get('content-encoding')
  const plain = coding === null ? bytes : await decodeContent(bytes, coding, maxBytes)
  return { kind: 'bytes', bytes, decoded: plain ?? bytes }
}

type WholeBody = Uint8Array | 'too-large' | 'incomplete'

/** Reads so that the handler finds the request it was given, of whatever class, and its body intact. */
async function readWhole(request: Request, maxBytes: number): Promise<WholeBody> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return 'too-large'
  const message = unreadMessageOf(request)
  if (message !== undefined) return takeWhole(message, maxBytes)
  const { body } = request
  if (body === null) return new Uint8Array()
  if (!(await canBePutBack(body))) return readClone(request, maxBytes)
  const reader = body.getReader()
  const whole = await readAll(reader, maxBytes)
  if (whole instanceof Uint8Array) putBack(body, whole)
  if (whole === 'too-large') void discardRest(reader).catch(() => {})
  return whole
}

/** What the original buffers meanwhile is bounded: nothing is read beyond `maxBytes`. */
async function readClone(request: Request, maxBytes: number): Promise<WholeBody> {
  const reader = request.clone().body?.getReader()
  if (reader === undefined) return new Uint8Array()
  const whole = await readAll(reader, maxBytes)
  // Without waiting: a clone's cancellation is over only when the original's is.
  if (whole === 'too-large') void reader.cancel().catch(() => {})
  return whole
}

async function readAll(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  maxBytes: number,
): Promise<WholeBody> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return joined(chunks)
      chunks.push(value)
      bytes += value.length
      if (bytes > maxBytes) return 'too-large'
    }
  } catch {
    return 'incomplete'
  }
}

/** Where it leaves the bytes the request finds them, as if nobody had read them. */
function takeWhole(message: UnreadMessage, maxBytes: number): Promise<WholeBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0

    function onData(chunk: Buffer): void {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes <= maxBytes) return
      finish('too-large')
      // The rest has to be taken off the connection, or it would never be free for another request.
      message.resume()
    }
    function onEnd(): void {
      message.rawBody = joined(chunks)
      finish(message.rawBody)
    }
    function onGone(): void {
      finish('incomplete')
    }
    function finish(body: WholeBody): void {
      message.off('data', onData)
      message.off('end', onEnd)
      message.off('close', onGone)
      message.off('error', onGone)
      resolve(body)
    }

    message.on('data', onData)
    message.on('end', onEnd)
    message.on('close', onGone)
    message.on('error', onGone)
  })
}
