// HTTP/2, where the framework has it: the same promises on Node's compatible request and response.
import { once } from 'node:events'
import { connect, createServer, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { json } from 'node:stream/consumers'
import fastify from 'fastify'
import Koa from 'koa'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { idempotency as onFastify } from '../../src/adapters/fastify.ts'
import { idempotency as onKoa } from '../../src/adapters/koa.ts'
import { idempotency as onNode } from '../../src/adapters/node.ts'
import { memoryStore } from '../../src/index.ts'

interface Handled {
  readonly body: unknown
  readonly runs: number
}

/** What the handler answers: bytes in pieces, or nothing. */
type Handler = (handled: Handled) => Promise<{ status: number; pieces: readonly Buffer[] }>

const toClose: Array<() => unknown> = []
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close()
})

const starters: Readonly<Record<string, (handler: Handler) => Promise<number>>> = {
  'node:http2': async (handler) => {
    let runs = 0
    const guarded = onNode({ store: memoryStore(), scope: false })(async (request, response) => {
      runs += 1
      const { status, pieces } = await handler({ body: await json(request), runs })
      response.writeHead(status, { 'Content-Type': 'application/octet-stream' })
      for (const piece of pieces) response.write(piece)
      response.end()
    })
    // Node's compatible objects have what is used of its HTTP/1 ones.
    return listening(createServer((request, response) => void guarded(request as never, response as never)))
  },
  Fastify: async (handler) => {
    let runs = 0
    const app = fastify({ http2: true })
    // Its types for HTTP/2 are others; the plugin is the same.
    await app.register(onFastify as never, { store: memoryStore(), scope: false })
    app.post('/orders', async (request, reply) => {
      runs += 1
      const { status, pieces } = await handler({ body: request.body, runs })
      return reply.code(status).type('application/octet-stream').send(Buffer.concat(pieces))
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    toClose.push(() => app.close())
    return (app.server.address() as AddressInfo).port
  },
  Koa: async (handler) => {
    let runs = 0
    const app = new Koa()
    app.use(onKoa({ store: memoryStore(), scope: false }))
    app.use(async (ctx) => {
      runs += 1
      const { status, pieces } = await handler({ body: await json(ctx.req), runs })
      ctx.body = Buffer.concat(pieces)
      ctx.status = status
    })
    return listening(createServer(app.callback() as never))
  },
}

describe.each(Object.entries(starters))('%s', (_, start) => {
  test('one effect and one answer, byte for byte; another request under the key is refused', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    let effects = 0
    const port = await start(async ({ body }) => {
      effects += 1
      expect(body).toEqual({ item: 'book' })
      return { status: 201, pieces: [Buffer.from([0, 255, 128]), Buffer.from('end')] }
    })
    const first = await post(port, 'k1')
    expect(first).toMatchObject({ status: 201, replayed: undefined })
    expect(first.body).toEqual(Buffer.from([0, 255, 128, ...Buffer.from('end')]))
    const replayed = await post(port, 'k1')
    expect(replayed).toMatchObject({ status: 201, replayed: 'true' })
    expect(replayed.body).toEqual(first.body)
    expect(await post(port, 'k1', '{"item":"another"}')).toMatchObject({ status: 422 })
    expect(effects).toBe(1)
    // Node warns of every status message on HTTP/2.
    expect(warn.mock.calls.filter(([warning]) => String(warning).includes('Status message'))).toEqual([])
    warn.mockRestore()
  })

  test('an answer without a body, and a body without a length', async () => {
    const port = await start(async () => ({ status: 204, pieces: [] }))
    expect(await post(port, 'k1')).toMatchObject({ status: 204, body: Buffer.alloc(0) })
    expect(await post(port, 'k1')).toMatchObject({ status: 204, replayed: 'true', body: Buffer.alloc(0) })
  })

  test('two at once on one connection: one runs, the other is told to come back', async () => {
    let effects = 0
    const port = await start(async () => {
      effects += 1
      await sleep(150)
      return { status: 201, pieces: [Buffer.from('done')] }
    })
    const session = open(port)
    const answers = await Promise.all([send(session, 'k1'), send(session, 'k1')])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 409]))
    expect(effects).toBe(1)
  })

  test('a client that leaves in the middle: the answer is recorded, and the retry gets it', async () => {
    let effects = 0
    const port = await start(async () => {
      effects += 1
      await sleep(100)
      return { status: 201, pieces: [Buffer.from('kept')] }
    })
    const session = open(port)
    const stream = session.request(headersOf('k1'))
    stream.on('error', () => {})
    stream.end(body)
    await sleep(50)
    stream.close()
    session.destroy()
    await vi.waitFor(
      async () => {
        expect(await post(port, 'k1')).toMatchObject({
          status: 201,
          replayed: 'true',
          body: Buffer.from('kept'),
        })
      },
      { timeout: 3_000 },
    )
    expect(effects).toBe(1)
  })
})

interface Answer {
  readonly status: number | undefined
  readonly replayed: string | undefined
  readonly body: Buffer
}

const body = '{"item":"book"}'

async function post(port: number, key: string, content = body): Promise<Answer> {
  const session = open(port)
  const answer = await send(session, key, content)
  session.close()
  return answer
}

function open(port: number): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  toClose.push(() => session.destroy())
  return session
}

async function send(session: ClientHttp2Session, key: string, content = body): Promise<Answer> {
  const stream = session.request(headersOf(key))
  stream.end(content)
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = once(stream, 'end')
  // The event's own type is wider.
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }]
  await ended
  const replayed = headers['idempotent-replayed']
  return { status: headers[':status'], replayed: replayed?.toString(), body: Buffer.concat(chunks) }
}

function headersOf(key: string): Record<string, string> {
  return {
    ':method': 'POST',
    ':path': '/orders',
    'content-type': 'application/json',
    'idempotency-key': `"${key}"`,
  }
}

function listening(server: Pick<Server, 'listen' | 'address' | 'close'>): Promise<number> {
  toClose.push(() => server.close())
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
