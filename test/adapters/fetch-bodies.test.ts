// Bodies as servers on Node stream them, which the guard reads before the handler does.
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { undiciServer } from '../../bench/undici.ts'
import { withIdempotency } from '../../src/adapters/fetch.ts'
import type { FetchHandler } from '../../src/adapters/fetch.ts'
import { listening } from '../support/adapters/serve.ts'
import { exchange, linesOf } from '../support/raw-http.ts'

const url = 'http://shop.example/orders'

const guarded = (handler: FetchHandler<Request, unknown[]>, options = {}) =>
  withIdempotency(handler, { scope: false, ...options })

function streamed(...chunks: readonly string[]): ReadableStream<Uint8Array> {
  const left = chunks.map((chunk) => Buffer.from(chunk))
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setImmediate(resolve))
      const chunk = left.shift()
      if (chunk === undefined) controller.close()
      else controller.enqueue(chunk)
    },
  })
}

function post(body: string | ReadableStream, { key = 'k1', type = 'application/json' } = {}): Request {
  return new Request(url, {
    method: 'POST',
    body,
    duplex: 'half',
    headers: { 'Idempotency-Key': key, 'Content-Type': type },
  })
}

async function read(body: ReadableStream<Uint8Array> | null): Promise<string> {
  return Buffer.concat(await chunksOf(body)).toString()
}

async function chunksOf(body: ReadableStream<Uint8Array> | null): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body ?? []) chunks.push(chunk)
  return chunks
}

describe('a body that was streamed', () => {
  const ways: Readonly<Record<string, (request: Request) => Promise<string>>> = {
    text: (request) => request.text(),
    json: async (request) => JSON.stringify(await request.json()),
    arrayBuffer: async (request) => Buffer.from(await request.arrayBuffer()).toString(),
    blob: async (request) => (await request.blob()).text(),
    'its stream': (request) => read(request.body),
    'a tee of it': async (request) => {
      const [one, other] = request.body?.tee() ?? []
      const both = await Promise.all([read(one ?? null), read(other ?? null)])
      expect(both[0]).toBe(both[1])
      return both[0]
    },
    'a pipe of it': (request) => read(request.body?.pipeThrough(new TransformStream()) ?? null),
    "Node's stream of it": async (request) =>
      (await buffer(Readable.fromWeb(request.body as NodeStream<Uint8Array>))).toString(),
    'a clone': async (request) => {
      const copy = await request.clone().text()
      expect(await request.text()).toBe(copy)
      return copy
    },
    'another Request': (request) => new Request(request).text(),
    'a Request to elsewhere': (request) => new Request('http://elsewhere.example/', request).text(),
    'a Response': (request) => new Response(request.body).text(),
    'another server': async (request) => {
      const server = await listening(undiciServer(async (passed) => new Response(await passed.text())))
      onTestFinished(() => server.close())
      return (await fetch(new Request(`http://127.0.0.1:${server.port}/`, request))).text()
    },
  }
  const whole = '{"item":17}'

  it.each(Object.entries(ways))('is there for its handler: %s', async (_, way) => {
    const clone = vi.spyOn(Request.prototype, 'clone')
    onTestFinished(() => clone.mockRestore())
    const handler = guarded(async (request) => {
      expect(clone).not.toHaveBeenCalled()
      expect(request.bodyUsed).toBe(false)
      const answer = await way(request)
      expect(request.bodyUsed).toBe(true)
      return new Response(answer)
    })
    // What it is tried on, once in a process.
    await (await guarded(() => new Response())(post(streamed('x')))).text()
    clone.mockClear()
    for (const chunks of [[whole], ['{"it', 'em', '":17}']]) {
      const key = `k${chunks.length}`
      const answer = await handler(post(streamed(...chunks), { key }))
      expect([answer.status, await answer.text()]).toEqual([200, whole])
      clone.mockClear()
      const replay = await handler(post(streamed(whole), { key }))
      expect([replay.headers.get('idempotent-replayed'), await replay.text()]).toEqual(['true', whole])
    }
  })

  it('is there where it is empty, and as a form', async () => {
    const handler = guarded(async (request) => new Response(`got ${await request.text()}`))
    expect(await (await handler(post(streamed()))).text()).toBe('got ')
    const form = guarded(async (request) => Response.json((await request.formData()).get('item')))
    const sent = post(streamed('item', '=17'), { type: 'application/x-www-form-urlencoded' })
    expect(await (await form(sent)).text()).toBe('"17"')
  })

  it('is the stream it was, of the request it was, behind a proxy too', async () => {
    const given = post(streamed('whole'))
    const { body } = given
    const proxy = new Proxy(given, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const handler = guarded(async (request) => {
      expect([request === proxy, request.body === body, body?.locked]).toEqual([true, true, false])
      return new Response(await request.text())
    })
    expect(await (await handler(proxy)).text()).toBe('whole')
  })

  it('can be read once, as ever, and cancelled', async () => {
    const twice = guarded(async (request) => {
      await request.text()
      await expect(request.text()).rejects.toThrow(TypeError)
      return new Response('read')
    })
    expect((await twice(post(streamed('whole')))).status).toBe(200)
    const never = guarded(async (request) => {
      await request.body?.cancel()
      return new Response('left')
    })
    expect((await never(post(streamed('whole')))).status).toBe(200)
  })

  it('of bytes can still be read into memory of the handler', async () => {
    const handler = guarded(async (request) => {
      const reader = request.body?.getReader({ mode: 'byob' })
      const { value } = (await reader?.read(new Uint8Array(5))) ?? {}
      return new Response(value ?? null)
    })
    expect(await (await handler(post('whole'))).text()).toBe('whole')
  })

  it('that breaks off, or holds no bytes, runs nothing', async () => {
    let runs = 0
    const handler = guarded(() => new Response(`run ${(runs += 1)}`))
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error('lost')),
    })
    const strange = new ReadableStream({
      start(controller) {
        controller.enqueue('a text')
        controller.close()
      },
    })
    for (const body of [broken, strange]) expect((await handler(post(body))).status).toBe(499)
    expect(runs).toBe(0)
  })
})

describe('an answer on Node', () => {
  it('shares no memory with its record', async () => {
    const handler = guarded(() => new Response('told'))
    for (let turn = 0; turn < 3; turn += 1) {
      const answer = await handler(post('x'))
      const chunks = await chunksOf(answer.body)
      expect(Buffer.concat(chunks).toString()).toBe('told')
      for (const chunk of chunks) chunk.fill(0)
    }
  })

  it('reaches the client of a request that is refused unread, on a connection that lives on', async () => {
    const server = await listening(undiciServer(guarded(() => new Response('ran'), { maxRequestBytes: 10 })))
    onTestFinished(() => server.close())
    const large = 'x'.repeat(500_000)
    for (const [key, body, status] of [
      ['"unclosed', 'x', 400],
      ['k1', large, 413],
    ] as const) {
      const answer = await exchange(server.port, { headers: [['Idempotency-Key', key]], body })
      expect(answer.status).toBe(status)
      expect(linesOf(answer, 'Connection')).not.toContain('close')
    }
  })
})
