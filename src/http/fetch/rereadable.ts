import { streamOf } from './whole-stream.ts'

/**
 * Whether a body that was read can be {@link putBack}. The standard way is to read a clone of the request, which costs Node
 * three streams and a second request, and its garbage collector more than that. False on other runtimes, and of bodies that
 * are not what a server of Node's makes.
 */
export async function canBePutBack(body: ReadableStream): Promise<boolean> {
  trial ??= tryOut()
  state = await trial
  // A stream of bytes can be read in ways that the one which takes its place does not know.
  return state !== undefined && isPlain(body, state)
}

/** Lets a body that was read to its end be read again: the same stream of the same request, as if nobody had read it. */
export function putBack(body: ReadableStream<Uint8Array>, bytes: Uint8Array): void {
  Object.assign(body, streamOf(bytes))
}

/** Whether streams are known to be Node's, which makes a stream of bytes for each body that is not one, at twice the cost. */
export function streamsAreNodes(): boolean {
  return state !== undefined
}

let trial: Promise<symbol | undefined> | undefined
let state: symbol | undefined

/** Node keeps all that a stream is under symbols on it, and does not say so anywhere: this finds out whether it still does. */
async function tryOut(): Promise<symbol | undefined> {
  try {
    const body = streamOf(Buffer.from('first'))
    const key = Object.getOwnPropertySymbols(body).find((symbol) => isPlain(body, symbol))
    if (key === undefined) return undefined
    const request = new Request('http://localhost/', { method: 'POST', body, duplex: 'half' })
    const reader = body.getReader()
    while (!(await reader.read()).done);
    putBack(body, Buffer.from('second'))
    const unread = !request.bodyUsed && !body.locked && request.body === body
    const copy = await request.clone().text()
    const whole = await new Request(request).text()
    return unread && copy === 'second' && whole === 'second' && request.bodyUsed ? key : undefined
  } catch {
    return undefined
  }
}

function isPlain(body: ReadableStream, key: symbol): boolean {
  const state: unknown = Reflect.get(body, key)
  return (
    typeof state === 'object' &&
    state !== null &&
    'controller' in state &&
    state.controller instanceof ReadableStreamDefaultController
  )
}
