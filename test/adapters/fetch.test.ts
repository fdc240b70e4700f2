import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type FetchOptions, idempotency, withIdempotency } from '../../src/adapters/fetch.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred } from '../support/deferred.ts'
import { collectingLogger } from '../support/logger.ts'
import { stoppedProcessClock, storeWith } from '../support/stores.ts'

const url = 'https://shop.example/orders?a=1'

function post(body = '{"item":17}', init: RequestInit = {}): Request {
  return new Request(url, {
    method: 'POST',
    body,
    headers: { 'Idempotency-Key': 'k1', 'Content-Type': 'application/json' },
    ...init,
  })
}

const guard = (options: Partial<FetchOptions> = {}) => idempotency({ scope: false, ...options })

describe('the request', () => {
  it('is the very object that the runtime gave, with its body unread', async () => {
    class FrameworkRequest extends Request {
      readonly own = 'kept'
    }
    const given = new FrameworkRequest(post())
    const handler = guard()(async (request: FrameworkRequest) =>
      Response.json({ same: request === given, own: request.own, body: await request.json() }),
    )
    expect(await (await handler(given)).json()).toEqual({ same: true, own: 'kept', body: { item: 17 } })
  })

  it('may be a proxy, as in Next, whose methods are bound to what is behind it', async () => {
    const proxied = (): Request =>
      new Proxy(post(), {
        get(target, name) {
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    const handler = guard()(async (request) =>
      Response.json({ key: request.idempotency.key, body: await request.json() }),
    )
    const first = await (await handler(proxied())).text()
    expect(first).toBe('{"key":"k1","body":{"item":17}}')
    expect((await handler(proxied())).headers.get('idempotent-replayed')).toBe('true')
  })

  it('is refused when something has read it before', async () => {
    const request = post()
    await request.text()
    const response = await guard()(() => new Response('never'))(request)
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ code: 'body-consumed' })
  })

  it('hands further arguments on, and `signal` tells of a lost lease, not of a client that left', async () => {
    const gone = new AbortController()
    const running = deferred()
    const gate = deferred()
    const handler = guard()(async (request, params: { id: string }) => {
      running.resolve()
      await gate.promise
      return Response.json({ id: params.id, aborted: request.signal.aborted })
    })
    const answer = handler(post('x', { signal: gone.signal }), { id: '7' })
    await running.promise
    gone.abort()
    gate.resolve()
    expect(await (await answer).json()).toEqual({ id: '7', aborted: false })
    expect(await (await handler(post('x'), { id: '8' })).json()).toEqual({ id: '7', aborted: false })
  })
})

describe('answers', () => {
  it('that throw are recorded as failures and thrown on; those that stand for answers are answers', async () => {
    let runs = 0
    const once = guard({
      answerOf: (thrown) =>
        typeof thrown === 'object' && thrown !== null && 'location' in thrown
          ? new Response(null, { status: 303, headers: { Location: String(thrown.location) } })
          : undefined,
    })
    const failing = once(() => {
      runs += 1
      throw new Error('after the charge')
    })
    await expect(failing(post())).rejects.toThrow('after the charge')
    const again = await failing(post())
    expect([again.status, again.headers.get('idempotent-replayed'), runs]).toEqual([500, 'true', 1])
    const throwing: Array<[string, unknown, number]> = [
      ['a Response', new Response('no', { status: 402 }), 402],
      ['a redirect of the framework', { location: '/there' }, 303],
    ]
    for (const [key, thrown, status] of throwing) {
      const handler = once(() => {
        throw thrown
      })
      const headers = { 'Idempotency-Key': `"${key}"` }
      expect((await handler(post('x', { headers }))).status).toBe(status)
      const replayed = await handler(post('x', { headers }))
      expect([replayed.status, replayed.headers.get('idempotent-replayed')]).toEqual([status, 'true'])
    }
  })

  it('that are all there go out with their length, after their record', async () => {
    const durable = deferred()
    const store = storeWith(memoryStore(), { complete: () => durable.promise })
    const handler = withIdempotency(() => Response.json({ id: 1 }, { status: 201 }), { scope: false, store })
    let told = false
    const answer = handler(post()).then((response) => {
      told = true
      return response
    })
    await sleep(20)
    expect(told).toBe(false)
    durable.resolve()
    expect((await answer).headers.get('content-length')).toBe('8')
  })

  it('that declare a length keep back their last byte until they are recorded', async () => {
    const durable = deferred()
    const store = storeWith(memoryStore(), { complete: () => durable.promise })
    const handler = guard({ store })(
      () => new Response(slowly('abc', 'def'), { headers: { 'Content-Length': '6' } }),
    )
    const reader = (await handler(post())).body?.getReader()
    let got = ''
    const reading = (async () => {
      for (;;) {
        const next = await reader?.read()
        if (next === undefined || next.done) return
        got += Buffer.from(next.value).toString()
      }
    })()
    await expect.poll(() => got).toBe('abcde')
    durable.resolve()
    await reading
    expect(got).toBe('abcdef')
  })

  it('that nobody reads any longer are recorded whole, and the runtime is kept from ending', async () => {
    const work: Array<Promise<unknown>> = []
    const handler = guard({ waitUntil: (each) => work.push(each) })(
      () => new Response(slowly('one ', 'two ', 'three')),
    )
    const response = await handler(post())
    const reader = response.body?.getReader()
    await reader?.read()
    await reader?.cancel()
    expect(work).toHaveLength(2)
    await Promise.all(work)
    expect(await (await handler(post())).text()).toBe('one two three')
  })

  it('whose client left before they began are recorded although nobody reads them', async () => {
    const gone = new AbortController()
    const handler = guard()(() => {
      gone.abort()
      return new Response(slowly('one ', 'two'))
    })
    await handler(post('x', { signal: gone.signal }))
    await expect.poll(async () => (await handler(post('x'))).status).toBe(200)
    expect(await (await handler(post('x'))).text()).toBe('one two')
  })

  it('that nobody reads and nobody can replay are told to stop', async () => {
    let stopped = false
    const endless = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await sleep(1)
        controller.enqueue(new Uint8Array(100))
      },
      cancel() {
        stopped = true
      },
    })
    const handler = guard({ maxResponseBytes: 1_000 })(() => new Response(endless))
    const response = await handler(post())
    await response.body?.cancel()
    await expect.poll(() => stopped).toBe(true)
    expect(await (await handler(post())).json()).toMatchObject({
      code: 'response-not-kept',
      reason: 'too-large',
    })
  })

  it('that break off leave a tombstone', async () => {
    const handler = guard()(() => {
      const broken = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await sleep(2)
          controller.error(new Error('lost'))
        },
      })
      return new Response(broken)
    })
    await expect(handler(post()).then((response) => response.text())).rejects.toThrow('lost')
    expect(await (await handler(post())).json()).toMatchObject({
      code: 'response-not-kept',
      reason: 'cut-short',
    })
  })

  it('of a run whose lease was lost are not told, nor is what it threw', async () => {
    for (const thrown of [false, true]) {
      const options = { store: memoryStore(), recovery: 'rerun', lease: 20 } as const
      const [running, gate] = [deferred(), deferred()]
      const hung = guard({ ...options, clock: stoppedProcessClock })(async () => {
        running.resolve()
        await gate.promise
        if (thrown) throw new Error('late')
        return new Response('late')
      })
      const late = hung(post())
      await running.promise
      await sleep(30)
      expect(await (await guard(options)(() => new Response('winner'))(post())).text()).toBe('winner')
      gate.resolve()
      expect(await (await late).json()).toMatchObject({ code: 'outcome-unknown', status: 409 })
    }
  })
})

describe('what is no answer', () => {
  const read = async (): Promise<Response> => {
    const response = new Response('once')
    await response.text()
    return response
  }
  it.each([
    ['nothing', async () => undefined],
    ['an object that only looks like one', async () => ({ status: 200, headers: [] })],
    ['an answer that was read', read],
    ['an answer that somebody else reads', async () => lockedResponse()],
    ['an error of the network', async () => Response.error()],
  ])('%s: recorded as a failure and thrown, so that its key is not in progress for ever', async (_, make) => {
    let runs = 0
    const handler = guard()(() => {
      runs += 1
      // What a handler without types may return.
      return make() as Promise<Response>
    })
    await expect(handler(post())).rejects.toThrow(TypeError)
    const replay = await handler(post())
    expect(replay.status).toBe(500)
    expect(replay.headers.get('idempotent-replayed')).toBe('true')
    expect(runs).toBe(1)
  })
})

function lockedResponse(): Response {
  const response = new Response('once')
  response.body?.getReader()
  return response
}

it('answers with `respond`, which may be of any kind', async () => {
  const once = guard({
    required: true,
    respond: async (problem) => Response.json({ error: problem.code }, { status: problem.status }),
  })
  const response = await once(() => new Response('never'))(post('x', { headers: {} }))
  expect([response.status, await response.json()]).toEqual([400, { error: 'missing-key' }])
})

it('warns once when a guarded handler is guarded again, and of CORS headers inside', async () => {
  const { logger, warnings } = collectingLogger()
  const once = guard({ logger })
  const handler = once(
    guard({ logger })(() => new Response('ok', { headers: { 'Access-Control-Allow-Origin': '*' } })),
  )
  expect(await (await handler(post())).text()).toBe('ok')
  expect(warnings).toEqual([expect.stringContaining('mounted-twice'), expect.stringContaining('cors-after')])
})

it('refuses wrong options, and runs functions and closes', async () => {
  expect(() => guard(JSON.parse('{"scoop":1}'))).toThrow(/Unknown option "scoop"/)
  expect(() => guard(JSON.parse('{"waitUntil":1}'))).toThrow(/waitUntil/)
  const handler = withIdempotency(() => new Response('ok'), { scope: false })
  expect(await handler.run({ key: 'k', scope: 's', payload: 1 }, () => 'done')).toBe('done')
  await handler.close()
  expect((await handler(post())).status).toBe(503)
})

function slowly(...words: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      await sleep(3)
      const word = words.shift()
      if (word === undefined) controller.close()
      else controller.enqueue(Buffer.from(word))
    },
  })
}

describe('an answer that is all there', () => {
  const answers: Readonly<Record<string, () => Response>> = {
    json: () => Response.json({ id: 7 }),
    'a long text': () => new Response('x'.repeat(300_000)),
    'a copy': () => Response.json({ id: 7 }).clone(),
    'a form': () => new Response(new URLSearchParams({ id: '7' })),
    'what went through a transform': () =>
      new Response(new Response('text').body?.pipeThrough(new TransformStream()) ?? null),
  }

  it.each(Object.entries(answers))('is told whole without a timer: %s', async (_, answer) => {
    const length = (await answer().arrayBuffer()).byteLength
    const timers = [
      vi.spyOn(globalThis, 'setTimeout'),
      vi.spyOn(globalThis, 'setImmediate'),
      vi.spyOn(globalThis, 'setInterval'),
    ]
    onTestFinished(() => void vi.restoreAllMocks())
    const handler = guard()(answer)
    // The engine's deadline and heartbeat are one timer each for all that runs.
    await handler(post(undefined, { headers: { 'Idempotency-Key': 'k0' } }))
    for (const timer of timers) timer.mockClear()
    const told = await Promise.all(
      Array.from({ length: 20 }, (_none, index) =>
        handler(post(undefined, { headers: { 'Idempotency-Key': `k${index + 1}` } })),
      ),
    )
    for (const { headers } of told) expect(headers.get('content-length')).toBe(String(length))
    expect(timers.flatMap(({ mock }) => mock.calls)).toEqual([])
  })
})
