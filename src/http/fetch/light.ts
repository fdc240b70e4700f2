import type { IncomingMessage } from 'node:http'

/**
 * What @hono/node-server keeps in its own `Request` and `Response` until somebody looks into them. To look costs
 * several times what the whole server does for a request. Where it is not found, the standard way works as well.
 */
export type LightBody = string | Uint8Array<ArrayBuffer> | null

/** A message whose bytes this server takes from `rawBody` where somebody has read them, as cloud functions do. */
export type UnreadMessage = IncomingMessage & { rawBody?: Buffer }

/** The message behind a light request, if nobody has begun to read it. */
export function unreadMessageOf(request: Request): UnreadMessage | undefined {
  const message = kept(request, 'incomingKey')
  // A request that was looked into reads from a stream of its own.
  if (!isUnread(message) || kept(request, 'requestCache') !== undefined) return undefined
  return message
}

/** Whether the body of a light request was, or is being, taken from its message. */
export function isTaken(request: Request): boolean {
  const message = kept(request, 'incomingKey')
  return isMessage(message) && message.readableDidRead
}

/** The body of a light response that is all there, `undefined` where that can't be told. */
export function lightBodyOf(response: Response): LightBody | undefined {
  const cached = kept(response, 'cache')
  if (!Array.isArray(cached) || cached.length !== 3) return undefined
  const body: unknown = cached[1]
  return body === null || typeof body === 'string' || isBytes(body) ? body : undefined
}

/** Whether responses are light here: then a text goes out with its headers in one piece, and bytes do not. */
export function sendsTextsFaster(): boolean {
  if (Response !== asked) {
    asked = Response
    areLight = Object.getOwnPropertySymbols(Response.prototype).some(isResponseCache)
  }
  return areLight
}

/** A server may put a `Response` of its own in place of Node's at any time. */
let asked: typeof Response | undefined
let areLight = false

function isResponseCache({ description }: symbol): boolean {
  return description === 'getResponseCache'
}

function kept(holder: object, description: string): unknown {
  const known = keys.get(description)
  if (known !== undefined && Object.hasOwn(holder, known)) return Reflect.get(holder, known)
  const key = Object.getOwnPropertySymbols(holder).find((symbol) => symbol.description === description)
  if (key === undefined) return undefined
  keys.set(description, key)
  return Reflect.get(holder, key)
}

/** Those found last, by description: a process may hold several releases. */
const keys = new Map<string, symbol>()

function isUnread(value: unknown): value is UnreadMessage {
  return (
    isMessage(value) &&
    value.httpVersionMajor === 1 &&
    !value.readableDidRead &&
    value.readableFlowing === null &&
    !value.destroyed &&
    !('rawBody' in value)
  )
}

function isMessage(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'readableDidRead' in value
}

/** A view of shared memory is not told from others here: `Response` takes none. */
function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> {
  return value instanceof Uint8Array
}
