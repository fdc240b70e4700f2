// @hono/node-server keeps what a request and an answer are made of until somebody looks into them, and hapax/fetch takes
// it from there. The server replaces Request and Response in the whole process.
import { serve } from '@hono/node-server'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type FetchHandler, withIdempotency } from '../../src/adapters/fetch.ts'
import { lightBodyOf } from '../../src/http/fetch/light.ts'
import { servedBy } from '../support/adapters/fetch.ts'
import { deferred } from '../support/deferred.ts'
import { exchange, headerOf, jsonOf, linesOf, RawConnection, type RawRequest } from '../support/raw-http.ts'

type Handler = FetchHandler<Request, unknown[]>

const keyed = (key: string, type = 'application/json') =>
  [
    ['Idempotency-Key', key],
    ['Content-Type', type],
  ] as const

async function serving(handler: (request: Request) => Promise<Response>): Promise<number> {
  const server = await servedBy(serve)(handler)
  onTestFinished(() => server.close())
  return server.port
}

const guarded = (handler: Handler) => serving(withIdempotency(handler, { scope: false }))

describe('a body that the guard has read', () => {
  const ways: Readonly<Record<string, (request: Request) => Promise<string>>> = {
    json: async (request) => JSON.stringify(await request.json()),
    text: (request) => request.text(),
    arrayBuffer: async (request) => Buffer.from(await request.arrayBuffer()).toString(),
    blob: async (request) => (await request.blob()).text(),
    clone: async (request) => {
      const copy = await request.clone().text()
      expect(await request.text()).toBe(copy)
      return copy
    },
    'another Request': (request) => new Request(request).text(),
    body: (request) => new Response(request.body).text(),
  }
  const sent: RawRequest[] = [{ body: '{"item":17}' }, { chunks: ['{"it', 'em":17}'] }]

  it.each(Object.entries(ways))('is there for its handler: %s', async (_, read) => {
    const port = await guarded(async (request) => new Response(await read(request)))
    for (const [index, body] of sent.entries()) {
      const answer = await exchange(port, { headers: keyed(`k${index}`), ...body })
      expect(answer.body.toString()).toBe('{"item":17}')
    }
  })

  it('is there as a form', async () => {
    const port = await guarded(async (request) => Response.json((await request.formData()).get('item')))
    const headers = keyed('k1', 'application/x-www-form-urlencoded')
    expect((await exchange(port, { headers, body: 'item=17' })).body.toString()).toBe('"17"')
  })

  it('is there when a layer further out has looked into the request', async () => {
    const inner = withIdempotency(async (request) => new Response(await request.text()), { scope: false })
    const port = await serving((request) => {
      expect(request.clone().headers.get('content-type')).toBe('application/json')
      return inner(request)
    })
    const answer = await exchange(port, { headers: keyed('k1'), body: 'whole' })
    expect(answer.body.toString()).toBe('whole')
  })

  it('is there after its client has left', async () => {
    const running = deferred()
    const gate = deferred()
    const ended = deferred()
    const port = await guarded(async (request) => {
      running.resolve()
      await gate.promise
      ended.resolve()
      return new Response(await request.text())
    })
    const leaving = await RawConnection.open(port)
    leaving.send({ headers: keyed('k1'), body: 'whole' })
    await running.promise
    leaving.reset()
    await new Promise((resolve) => setTimeout(resolve, 20))
    gate.resolve()
    await ended.promise
    await new Promise((resolve) => setTimeout(resolve, 20))
    const replay = await exchange(port, { headers: keyed('k1'), body: 'whole' })
    expect(linesOf(replay, 'Idempotent-Replayed')).toEqual(['true'])
    expect(replay.body.toString()).toBe('whole')
  })
})

describe('an answer that was not looked into', () => {
  const cookies = new Headers([
    ['set-cookie', 'a=1'],
    ['set-cookie', 'b=2'],
  ])
  const answers: Readonly<Record<string, () => Response>> = {
    json: () => Response.json({ id: 7 }, { status: 201 }),
    'a text without a type': () => new Response('plain', { headers: { 'x-own': '1' } }),
    'a text beyond ASCII': () => new Response('Grüße ☃'),
    'a header beyond ASCII': () => Response.json({ id: 7 }, { headers: { 'x-name': 'Björn' } }),
    'a long text': () => new Response('x'.repeat(100_000)),
    bytes: () => new Response(new Uint8Array([0, 128, 255])),
    'two cookies': () => new Response('baked', { headers: cookies }),
    nothing: () => new Response(null, { status: 204 }),
    'an empty text': () => new Response(''),
  }

  it.each(Object.entries(answers))('goes out and is repeated as it is: %s', async (_, answer) => {
    const wanted = Buffer.from(await answer().arrayBuffer())
    const port = await guarded(answer)
    const first = await exchange(port, { headers: keyed('k1'), body: 'x' })
    const replay = await exchange(port, { headers: keyed('k1'), body: 'x' })
    expect(linesOf(replay, 'Idempotent-Replayed')).toEqual(['true'])
    for (const told of [first, replay]) {
      expect(told.body).toEqual(wanted)
      expect(headerOf(told, 'Content-Length')).toBe(told.status === 204 ? undefined : String(wanted.length))
      expect(linesOf(told, 'X-Name')).toEqual(linesOf(first, 'X-Name'))
      expect(headerOf(told, 'Content-Type')).toBe(headerOf(first, 'Content-Type'))
    }
    expect(linesOf(first, 'Set-Cookie')).toEqual(answer().headers.getSetCookie())
  })

  it('is told whole where it is too large to be recorded', async () => {
    const text = 'x'.repeat(2_000)
    const port = await serving(
      withIdempotency(() => new Response(text), { scope: false, maxResponseBytes: 1_000 }),
    )
    const first = await exchange(port, { headers: keyed('k1'), body: 'x' })
    expect(first.body.toString()).toBe(text)
    const again = await exchange(port, { headers: keyed('k1'), body: 'x' })
    expect(jsonOf(again)).toMatchObject({ code: 'response-not-kept' })
  })

  it('costs neither a Request, nor a Response, nor a timer of its own', async () => {
    const armed: string[] = []
    const { setTimeout: real } = globalThis
    onTestFinished(() => {
      globalThis.setTimeout = real
    })
    globalThis.setTimeout = Object.assign((...given: Parameters<typeof real>) => {
      const { stack = '' } = new Error('armed')
      // The engine's deadline is one for all that wait.
      if (stack.split('\n')[2]?.includes('/src/http/')) armed.push(stack)
      return real(...given)
    }, real)
    const requests: Request[] = []
    const responses: Response[] = []
    const inner = withIdempotency(async (request) => Response.json(await request.json()), { scope: false })
    const port = await serving(async (request) => {
      requests.push(request)
      const response = await inner(request)
      // What the server does to it would tell no more.
      expect(lightBodyOf(response)).toBe('{"item":17}')
      responses.push(response)
      return response
    })
    for (const key of ['k1', 'k1', 'k2']) {
      const answer = await exchange(port, { headers: keyed(key), body: '{"item":17}' })
      expect(answer.body.toString()).toBe('{"item":17}')
    }
    expect(armed).toEqual([])
    expect(responses).toHaveLength(3)
    const descriptions = requests.flatMap(Object.getOwnPropertySymbols).map(({ description }) => description)
    expect(descriptions).toContain('incomingKey')
    expect(descriptions).not.toContain('requestCache')
  })
})
