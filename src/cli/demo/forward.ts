import { Agent, type IncomingMessage, request as sendRequest, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** Every field line under its name. */
export type FieldLines = Record<string, string[]>

export interface ForwardedRequest {
  readonly method: string
  readonly path: string
  readonly headers: FieldLines
  readonly body: Uint8Array
}

export interface ForwardedAnswer {
  readonly status: number
  readonly headers: FieldLines
  readonly body: Buffer
}

const agent = new Agent({ keepAlive: true })

/** Reads a request whole, so that it can be sent to one server and then to another. */
export async function readRequest(request: IncomingMessage): Promise<ForwardedRequest> {
  return {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: fieldLines(request.rawHeaders),
    body: await buffer(request),
  }
}

export interface Waiting {
  /** After which the request is broken off. Default: never. */
  readonly patienceMs?: number
  /** On whose behalf the request is sent: when that client leaves, it is broken off. */
  readonly asker?: ServerResponse
}

/** Sends a request to a server of this machine. Rejects if no whole answer comes back, or is waited for. */
export function send(
  port: number,
  { method, path, headers, body }: ForwardedRequest,
  { patienceMs, asker }: Waiting,
): Promise<ForwardedAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest({ host: '127.0.0.1', port, method, path, headers, agent })
    const breakOff = (): void => void outgoing.destroy(brokenOff)
    const timer = patienceMs === undefined ? undefined : setTimeout(breakOff, patienceMs)
    asker?.once('close', breakOff)
    outgoing.once('close', () => {
      clearTimeout(timer)
      asker?.off('close', breakOff)
    })
    outgoing.once('error', reject)
    outgoing.once('response', (answer) => {
      buffer(answer).then(
        (bytes) =>
          resolve({ status: answer.statusCode ?? 0, headers: fieldLines(answer.rawHeaders), body: bytes }),
        reject,
      )
    })
    outgoing.end(body)
  })
}

/** One for all: nobody reads its stack, and a storm would make thousands. */
const brokenOff = new Error('Nobody waits for the answer any more.')

export function passOn(response: ServerResponse, { status, headers, body }: ForwardedAnswer): void {
  response.writeHead(status, { ...headers, 'Content-Length': body.length })
  response.end(body)
}

/** Fields of one connection; each hop writes its own. */
const ownToEachHop = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'host'])

function fieldLines(rawHeaders: readonly string[]): FieldLines {
  const names = new Map<string, string>()
  const lines: FieldLines = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [sentName = '', value = ''] = rawHeaders.slice(index, index + 2)
    const plain = sentName.toLowerCase()
    if (ownToEachHop.has(plain)) continue
    const name = names.get(plain) ?? sentName
    names.set(plain, name)
    ;(lines[name] ??= []).push(value)
  }
  return lines
}
