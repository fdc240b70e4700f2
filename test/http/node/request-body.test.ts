import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { idempotency, type NodeHandler } from '../../../src/adapters/node.ts'
import { memoryStore } from '../../../src/stores/memory.ts'

// Two ways to a body: it is kept before it enters the stream, or, where somebody has touched the stream, read and put
// back. A listener is enough to have it read.
const ways: Record<string, (request: IncomingMessage) => void> = {
  'of an untouched stream': () => {},
  'of a stream that somebody listens to': (request) => void request.on('readable', () => {}),
}

let server: Server | undefined
const sockets: Socket[] = []
/** What the middleware promised, for each request. */
const passages: Array<Promise<void>> = []

afterEach(() => {
  passages.length = 0
  for (const socket of sockets.splice(0)) socket.destroy()
  server?.closeAllConnections()
  server?.close()
})

describe.each(Object.entries(ways))('a body %s', (_way, touch) => {
  it('that comes in parts is whole for its handler', async () => {
    const seen: string[] = []
    const url = await serve(touch, async (request, response) => {
      seen.push(await text(request))
      response.end('done')
    })
    const socket = await open(url, 'Content-Length: 9')
    for (const part of ['one', 'two', 'six']) {
      socket.write(part)
      await sleep(20)
    }
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual(['onetwosix'])
  })

  it('that is empty, in chunks, says its end', async () => {
    const seen: string[] = []
    const url = await serve(touch, async (request, response) => {
      seen.push(await text(request))
      response.end('done')
    })
    const socket = await open(url, 'Transfer-Encoding: chunked')
    socket.write('0\r\n\r\n')
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 200 /)
    expect(seen).toEqual([''])
  })

  it('that is larger than the limit is refused, and the connection serves the next request', async () => {
    const url = await serve(touch, (_request, response) => void response.end('done'))
    const socket = await open(url, 'Transfer-Encoding: chunked')
    for (let part = 0; part < 4; part += 1) socket.write(`400\r\n${'x'.repeat(1024)}\r\n`)
    socket.write('0\r\n\r\n')
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 413 /)
    socket.write(head('Content-Length: 2', 'k2'))
    socket.write('ok')
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 200 /)
  })

  it('whose client leaves half-way claims nothing', async () => {
    let runs = 0
    const url = await serve(touch, (_request, response) => {
      runs += 1
      response.end('done')
    })
    const socket = await open(url, 'Content-Length: 9')
    socket.write('one')
    await sleep(20)
    socket.destroy()
    await sleep(50)
    const again = await open(url, 'Content-Length: 9')
    again.write('onetwosix')
    expect(await answerOf(again)).toMatch(/^HTTP\/1\.1 200 /)
    expect(runs).toBe(1)
    // Nobody waits for a body that never comes.
    await Promise.all(passages)
  })

  // Node throws away what comes after an answer, and tells whoever reads that the body has ended.
  it('that another layer answered half-way does not reach the handler', async () => {
    const seen: string[] = []
    const refuseSoon = (request: IncomingMessage, response: ServerResponse) => {
      touch(request)
      setTimeout(() => response.writeHead(503).end('slow'), 30)
    }
    const url = await serve(refuseSoon, async (request, response) => {
      seen.push(await text(request))
      if (!response.headersSent) response.end('done')
    })
    const socket = await open(url, 'Content-Length: 9')
    socket.write('one')
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 503 /)
    socket.write('twosix')
    await sleep(50)
    expect(seen).toEqual([])
  })
})

it('a stream that nobody touched before hapax is untouched behind it', async () => {
  const seen: boolean[] = []
  const url = await serve(ways['of an untouched stream'] ?? (() => {}), async (request, response) => {
    seen.push(request.readableDidRead)
    response.end(await text(request))
  })
  const socket = await open(url, 'Content-Length: 3')
  socket.write('one')
  expect(await answerOf(socket)).toMatch(/one$/)
  expect(seen).toEqual([false])
})

it('a layer that wraps push while a body comes stays in place, and the rest comes through', async () => {
  const pushed: number[] = []
  let ended = false
  const wrapSoon = (request: IncomingMessage) => {
    request.once('end', () => (ended = true))
    setTimeout(() => {
      const { push } = request
      request.push = (chunk, encoding) => {
        pushed.push(Number(chunk?.length ?? 0))
        return push.call(request, chunk, encoding)
      }
    }, 10)
  }
  const url = await serve(wrapSoon, (_request, response) => void response.end('done'))
  const socket = await open(url, 'Transfer-Encoding: chunked')
  const kilobytes = (count: number) => `${(1024 * count).toString(16)}\r\n${'x'.repeat(1024 * count)}\r\n`
  socket.write(kilobytes(1))
  await sleep(30)
  socket.write(kilobytes(2))
  expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 413 /)
  socket.write('0\r\n\r\n')
  await sleep(30)
  expect(pushed).toEqual([2048, 0])
  expect(ended).toBe(true)
})

async function serve(
  before: (request: IncomingMessage, response: ServerResponse) => void,
  handler: NodeHandler<IncomingMessage, ServerResponse>,
): Promise<AddressInfo> {
  const safely = idempotency({
    store: memoryStore(),
    scope: false,
    maxRequestBytes: 2048,
  })
  const guarded = safely(handler)
  server = createServer((request, response) => {
    before(request, response)
    passages.push(guarded(request, response))
  })
  server.listen(0, '127.0.0.1')
  await listening(server)
  // A TCP listener's address is always an AddressInfo.
  return server.address() as AddressInfo
}

async function listening(started: Server): Promise<void> {
  if (!started.listening) await once(started, 'listening')
}

async function open({ port }: AddressInfo, framing: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  await once(socket, 'connect')
  socket.write(head(framing, 'k1'))
  return socket
}

function head(framing: string, key: string): string {
  return `POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nIdempotency-Key: "${key}"\r\n${framing}\r\n\r\n`
}

async function answerOf(socket: Socket): Promise<string> {
  const [data] = await once(socket, 'data')
  return String(data)
}
