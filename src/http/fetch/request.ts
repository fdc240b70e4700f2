import { decodeContent } from '../content-coding.ts'
import type { RequestBody, RequestView } from '../guard.ts'

/** What an adapter knows of a request besides the `Request` itself. */
export interface FetchRequest<Native> {
  /** What the options get: the framework's own request or context. */
  readonly native: Native
  readonly request: Request
  /** What the framework keeps of a body that was read before. */
  readonly readBefore?: (() => Promise<Uint8Array | undefined>) | undefined
}

export function fetchRequestView<Native>({
  native,
  request,
  readBefore,
}: FetchRequest<Native>): RequestView<Native> {
  const { pathname, search } = new URL(request.url)
  return {
    native,
    method: request.method,
    target: pathname + search,
    contentType: request.headers.get('content-type') ?? undefined,
    // `Headers` joins repeated lines with a comma, which no key has.
    fieldLines(name) {
      const value = request.headers.get(name)
      return value === null ? [] : [value]
    },
    body: async (maxBytes) => {
      const bytes = await (request.bodyUsed ? readBefore?.() : readWhole(request, maxBytes))
      if (!(bytes instanceof Uint8Array)) return { kind: bytes ?? 'consumed' }
      return decoded(request, bytes, maxBytes)
    },
    onGone(listener) {
      const { signal } = request
      signal.addEventListener('abort', listener, { once: true })
      return () => signal.removeEventListener('abort', listener)
    },
  }
}

async function decoded(request: Request, bytes: Uint8Array, maxBytes: number): Promise<RequestBody> {
  const coding = request.headers.get('content-encoding')
  const plain = coding === null ? bytes : await decodeContent(bytes, coding, maxBytes)
  return { kind: 'bytes', bytes, decoded: plain ?? bytes }
}

/**
 * Reads a clone, so that the handler finds the request it was given, of whatever class, and its body intact.
 * What the original buffers meanwhile is bounded: nothing is read beyond `maxBytes`.
 */
async function readWhole(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array | 'too-large' | 'incomplete'> {
  if (request.body === null) return new Uint8Array()
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) return giveUp(request)
  const reader = request.clone().body?.getReader()
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true }
      if (done || value === undefined) return Buffer.concat(chunks)
      chunks.push(value)
      bytes += value.length
      if (bytes > maxBytes) {
        // Without waiting: a clone's cancellation is over only when the original's is.
        void reader?.cancel().catch(() => {})
        return giveUp(request)
      }
    }
  } catch {
    return 'incomplete'
  }
}

function giveUp(request: Request): 'too-large' {
  void request.body?.cancel().catch(() => {})
  return 'too-large'
}
