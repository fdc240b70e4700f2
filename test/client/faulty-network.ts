import { createServer, type IncomingMessage, request as sendRequest, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** What becomes of one request on its way. */
export const networkFaults = [
  'pass',
  /** The connection breaks and the server hears nothing. */
  'refuse',
  /** The server hears half of the request. */
  'cut-request',
  /** The server answers, and nobody hears it. */
  'lose-answer',
  /** The answer breaks off in its body. */
  'cut-answer',
  /** The answer comes after the client gave it up. */
  'late-answer',
  /** The request itself reaches the server after the client gave it up and sent the next. */
  'late-request',
  /** The server hears it twice at once. */
  'twice',
  /** Somebody on the way answers instead of the server. */
  'gateway-error',
  'rate-limit',
] as const

export type NetworkFault = (typeof networkFaults)[number]

export interface FaultyNetwork {
  readonly url: string
  /** Resolves when nothing is on its way any more. */
  idle(): Promise<void>
  close(): void
}

/** A proxy before a server: the first requests meet these faults, one each, and all later ones pass. */
export async function faultyNetwork(
  target: number,
  faults: readonly NetworkFault[],
  lateMs: number,
): Promise<FaultyNetwork> {
  const pending = [...faults]
  const onTheirWay = new Set<Promise<unknown>>()
  const proxy = createServer((request, response) => {
    // Chromium is not the only one to send a request again by itself on a connection that was used before.
    response.setHeader('Connection', 'close')
    const way = buffer(request).then((body) => carry(pending.shift() ?? 'pass', request, response, body))
    const settled = way.catch(() => response.destroy())
    onTheirWay.add(settled)
    void settled.finally(() => onTheirWay.delete(settled))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    // The proxy listens on TCP, so its address is an object.
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    async idle() {
      while (onTheirWay.size > 0) await Promise.all(onTheirWay)
    },
    close() {
      proxy.close()
      proxy.closeAllConnections()
    },
  }

  async function carry(
    fault: NetworkFault,
    request: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> {
    switch (fault) {
      case 'refuse':
        return void response.destroy()
      case 'gateway-error':
        return void response.writeHead(503).end('no backend')
      case 'rate-limit':
        return void response.writeHead(429, { 'Retry-After': '0' }).end()
      case 'cut-request':
        await forward(request, body.subarray(0, body.length / 2), body.length).catch(() => {})
        return void response.destroy()
      case 'late-request':
        await late()
        break
    }
    const answers = await Promise.all([
      forward(request, body),
      ...(fault === 'twice' ? [forward(request, body)] : []),
    ])
    const [answer] = answers
    if (answer === undefined || fault === 'lose-answer') return void response.destroy()
    if (fault === 'late-answer') await late()
    response.writeHead(answer.status, answer.headers)
    if (fault !== 'cut-answer') return void response.end(answer.body)
    const half = answer.body.subarray(0, answer.body.length / 2)
    // Neither is told to those who write after the client has left.
    if (response.destroyed) return
    await new Promise<void>((done) => {
      response.once('close', () => done())
      response.write(half, () => done())
    })
    response.destroy()
  }

  function late(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, lateMs))
  }

  /** @param promised What `Content-Length` says, where it says more than is sent. */
  function forward(
    { method, url, headers }: IncomingMessage,
    body: Buffer,
    promised?: number,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = sendRequest({
        host: '127.0.0.1',
        port: target,
        method,
        path: url,
        headers: { ...headers, 'content-length': promised ?? body.length },
        agent: false,
      })
      outgoing.once('error', reject)
      outgoing.once('response', (answer) => {
        buffer(answer).then((bytes) => {
          const { connection: _, 'keep-alive': __, ...kept } = answer.headers
          resolve({ status: answer.statusCode ?? 0, headers: kept, body: bytes })
        }, reject)
      })
      if (promised === undefined) outgoing.end(body)
      else outgoing.write(body, () => setTimeout(() => outgoing.destroy(), 5))
    })
  }
}

interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}
