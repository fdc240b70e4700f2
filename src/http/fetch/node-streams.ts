import { streamOf } from './whole-stream.ts'

/**
 * Whether a body that was read can be {@link putBack}. The standard way is to read a clone of the request, which costs Node
 * three streams and a second request, and its garbage collector more than that.
 */
export async function canBePutBack(body: ReadableStream): Promise<boolean> {
  // A stream of bytes can be read in ways that the one which takes its place does not know.
  if (!(controllerOf(body) instanceof ReadableStreamDefaultController)) return false
  trial ??= tryOut()
  return trial
}

/** Lets a body that was read to its end be read again: the same stream of the same request, as if nobody had read it. */
export function putBack(body: ReadableStream<Uint8Array>, bytes: Uint8Array): void {
  // Node keeps all that a stream is under symbols on it, and nothing elsewhere.
  Object.assign(body, streamOf(bytes))
}

export function isStreamOfNode(stream: ReadableStream): boolean {
  return controllerOf(stream) !== undefined
}

/** Whether each new stream is one of Node's. */
export function makesStreamsOfNode(): boolean {
  stateKey ??= findStateKey() ?? 'none'
  return stateKey !== 'none'
}

let trial: Promise<boolean> | undefined

/** No documentation says what `putBack` relies on, so whether it works is found out. */
async function tryOut(): Promise<boolean> {
  try {
    const body = streamOf(Buffer.from('first'))
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' })
    const reader = body.getReader()
    while (!(await reader.read()).done);
    putBack(body, Buffer.from('second'))
    const unread = !request.bodyUsed && !body.locked && request.body === body
    const copy = await request.clone().text()
    const whole = await new Request(request).text()
    return unread && copy === 'second' && whole === 'second' && request.bodyUsed
  } catch {
    return false
  }
}

let stateKey: symbol | 'none' | undefined

function findStateKey(): symbol | undefined {
  const stream = new ReadableStream()
  return Object.getOwnPropertySymbols(stream).find((key) => controllerUnder(key, stream) !== undefined)
}

function controllerOf(stream: ReadableStream): unknown {
  stateKey ??= findStateKey() ?? 'none'
  return stateKey === 'none' ? undefined : controllerUnder(stateKey, stream)
}

function controllerUnder(key: symbol, stream: ReadableStream): unknown {
  const state: unknown = Reflect.get(stream, key)
  return typeof state === 'object' && state !== null && 'controller' in state ? state.controller : undefined
}
