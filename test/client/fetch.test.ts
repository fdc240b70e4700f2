import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { parseKey } from '../../src/protocol/key.ts'
import {
  type ClientEvent,
  type ClientOptions,
  createClient,
  idempotencyProblem,
  idempotentFetch,
  isClientError,
} from '../../src/client/index.ts'
import { Schedule } from '../../src/client/fetch/schedule.ts'
import { problem, type Reply, scriptedServer } from './scripted-server.ts'

const ok: Reply = { status: 201, body: 'made' }
const order = { method: 'POST', body: '{"item":"book"}', headers: { 'Content-Type': 'application/json' } }

// Waits are drawn by chance, and these tests need not sit through them. Still random: so are boundaries of forms.
const random = Math.random
beforeEach(() => void vi.spyOn(Math, 'random').mockImplementation(() => random() / 100))
afterEach(() => void vi.restoreAllMocks())

describe('the key', () => {
  test('is a quoted UUID, made anew for each intent', async () => {
    const server = await scriptedServer(ok)
    expect(await (await idempotentFetch(server.url, order)).text()).toBe('made')
    await idempotentFetch(server.url, order)
    const keys = server.arrivals.map(({ headers }) => headers['idempotency-key'])
    expect(keys[0]).toMatch(/^"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"$/)
    expect(keys[1]).not.toBe(keys[0])
    expect(parseKey([String(keys[0])], { maxLength: 255 }).kind).toBe('key')
  })

  test('is the same on every attempt', async () => {
    const server = await scriptedServer('break', { status: 503 }, 'break-midway', ok)
    const response = await createClient().fetch(server.url, order)
    expect([response.status, await response.text()]).toEqual([201, 'made'])
    expect(server.arrivals).toHaveLength(4)
    expect(new Set(server.arrivals.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(new Set(server.arrivals.map(({ body }) => body.toString()))).toEqual(new Set([order.body]))
  })

  test.each(['GET', 'HEAD', 'OPTIONS'])('is not sent with %s', async (method) => {
    const server = await scriptedServer('break', { status: 204 })
    expect((await idempotentFetch(server.url, { method })).status).toBe(204)
    expect(server.arrivals.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined, undefined])
  })

  test.each(['POST', 'PUT', 'patch', 'DELETE'])('is sent with %s', async (method) => {
    const server = await scriptedServer(ok)
    await idempotentFetch(server.url, { method })
    expect(server.arrivals[0]).toMatchObject({ method: method.toUpperCase() })
    expect(server.arrivals[0]?.headers['idempotency-key']).toBeDefined()
  })

  test('goes raw, and in another header, to servers that want that', async () => {
    const server = await scriptedServer(ok)
    const client = createClient({ format: 'raw', header: 'X-Request-Key', newKey: () => 'order-17' })
    await client.fetch(server.url, order)
    expect(server.arrivals[0]?.headers['x-request-key']).toBe('order-17')
  })

  test('of an earlier intent is the caller’s to give, by option or as the header itself', async () => {
    const server = await scriptedServer('break', ok)
    await idempotentFetch(server.url, { ...order, idempotencyKey: 'order "17"' })
    await idempotentFetch(server.url, { ...order, headers: new Headers({ 'idempotency-key': 'mine' }) })
    const keys = server.arrivals.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toEqual([String.raw`"order \"17\""`, String.raw`"order \"17\""`, 'mine'])
  })

  test.each([
    ['quoted', ''],
    ['quoted', ' '],
    ['quoted', 'ключ'],
    ['quoted', 'a\nb'],
    ['quoted', 'x'.repeat(256)],
    ['raw', 'a b'],
    ['raw', '"k"'],
  ] as const)('%s: %j is refused before a byte leaves', async (format, idempotencyKey) => {
    const server = await scriptedServer(ok)
    const sending = createClient({ format }).fetch(server.url, { ...order, idempotencyKey })
    await expect(sending).rejects.toMatchObject({ code: 'malformed-key' })
    expect(server.arrivals).toHaveLength(0)
  })
})

describe('the body', () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, index) => index)
  const form = () => {
    const data = new FormData()
    data.set('item', 'book')
    data.set('cover', new Blob([bytes], { type: 'image/png' }), 'cover.png')
    return data
  }
  test.each<[string, RequestInit['body'], RegExp | undefined]>([
    ['text', 'a=b', /^text\/plain/],
    ['a form', new URLSearchParams({ a: 'b & c' }), /^application\/x-www-form-urlencoded/],
    ['a form with files', form(), /^multipart\/form-data; boundary=/],
    ['bytes', bytes, undefined],
    ['a buffer', bytes.buffer, undefined],
    ['a part of a buffer', bytes.subarray(7, 90), undefined],
    ['a blob', new Blob([bytes], { type: 'image/png' }), /^image\/png$/],
    ['nothing', null, undefined],
  ])('of %s is the same bytes each time, under the same type', async (_, body, type) => {
    const server = await scriptedServer('break', { status: 503 }, ok)
    await idempotentFetch(server.url, { method: 'POST', body: body ?? null })
    const [first, ...others] = server.arrivals
    expect(others).toHaveLength(2)
    for (const other of others) {
      expect(other.body.equals(first?.body ?? Buffer.of(1))).toBe(true)
      expect(other.headers['content-type']).toBe(first?.headers['content-type'])
    }
    if (type === undefined) expect(first?.headers['content-type']).toBeUndefined()
    else expect(first?.headers['content-type']).toMatch(type)
    if (body instanceof Uint8Array) expect(first?.body.equals(body)).toBe(true)
  })

  test('of bytes is what it was at the call, whatever the caller does to the buffer later', async () => {
    const server = await scriptedServer('break', ok)
    const mine = Buffer.from('before')
    const sending = idempotentFetch(server.url, { method: 'POST', body: mine })
    setTimeout(() => mine.write('after!'), 1)
    await sending
    expect(server.arrivals.map(({ body }) => body.toString())).toEqual(['before', 'before'])
  })

  test('of a Request is repeated, with its headers and signal', async () => {
    const server = await scriptedServer('break', ok)
    const request = new Request(server.url, { ...order, headers: { 'X-Mine': '1' } })
    expect((await idempotentFetch(request)).status).toBe(201)
    expect(server.arrivals.map(({ headers, body }) => [headers['x-mine'], body.toString()])).toEqual([
      ['1', order.body],
      ['1', order.body],
    ])
    const controller = new AbortController()
    controller.abort(new Error('changed my mind'))
    const aborted = new Request(server.url, { ...order, signal: controller.signal })
    await expect(idempotentFetch(aborted)).rejects.toThrow('changed my mind')
  })

  test.each([
    ['web', new Blob(['x']).stream()],
    ['Node', Readable.from(['x'])],
  ])('that is a %s stream is refused, with a sentence that names the cure', async (_, stream) => {
    const server = await scriptedServer(ok)
    // Node's own stream is no body by its types, and yet Node's fetch takes it.
    const init = { method: 'POST', body: stream, duplex: 'half' } as unknown as RequestInit
    const error: unknown = await idempotentFetch(server.url, init).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'body-not-repeatable', message: expect.stringContaining('.blob()') })
    expect(server.arrivals).toHaveLength(0)
  })
})

describe('is sent again after', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('%d', async (status) => {
    const server = await scriptedServer({ status }, ok)
    expect((await idempotentFetch(server.url, order)).status).toBe(201)
  })

  test('409 in progress, until the winner’s answer is there, however few retries are allowed', async () => {
    const busy = problem('in-progress', 409, { 'Retry-After': '0' })
    const server = await scriptedServer(busy, busy, busy, busy, ok)
    expect((await createClient({ retries: 0 }).fetch(server.url, order)).status).toBe(201)
  })

  test('409 with Retry-After of servers of another make', async () => {
    const server = await scriptedServer({ status: 409, headers: { 'Retry-After': '0' } }, ok)
    expect((await idempotentFetch(server.url, order)).status).toBe(201)
  })

  test('503 store-unavailable', async () => {
    const server = await scriptedServer(problem('store-unavailable', 503, { 'Retry-After': '0' }), ok)
    expect((await idempotentFetch(server.url, order)).status).toBe(201)
  })
})

describe('is final:', () => {
  test.each([200, 204, 302, 400, 401, 403, 404, 409, 410, 422, 501])('%d', async (status) => {
    const server = await scriptedServer({ status }, ok)
    expect((await idempotentFetch(server.url, { ...order, redirect: 'manual' })).status).toBe(status)
    expect(server.arrivals).toHaveLength(1)
  })

  test.each([
    ['outcome-unknown', 409],
    ['response-not-kept', 409],
    ['key-reused', 422],
    ['malformed-key', 400],
    ['scope-missing', 500],
    ['body-consumed', 500],
  ])('%s, typed', async (code, status) => {
    const server = await scriptedServer(problem(code, status), ok)
    const response = await idempotentFetch(server.url, order)
    expect(await idempotencyProblem(response)).toMatchObject({
      code,
      status,
      retryable: false,
      detail: 'why',
    })
    // And still unread for the caller.
    expect(await response.json()).toMatchObject({ code })
    expect(server.arrivals).toHaveLength(1)
  })

  test('a failure that was recorded: to repeat it would only repeat it', async () => {
    const server = await scriptedServer(
      { status: 500 },
      { status: 500, headers: { 'Idempotent-Replayed': 'true' } },
      ok,
    )
    expect((await idempotentFetch(server.url, order)).status).toBe(500)
    expect(server.arrivals).toHaveLength(2)
  })

  test('the last answer, when retries are used up', async () => {
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': '0' } })
    expect((await createClient({ retries: 2 }).fetch(server.url, order)).status).toBe(503)
    expect(server.arrivals).toHaveLength(3)
  })

  test('no answer, when retries are used up: an error with the key and the cause', async () => {
    const server = await scriptedServer('break')
    const sending = createClient({ retries: 1, newKey: () => 'order-17' }).fetch(server.url, order)
    const error: unknown = await sending.catch((thrown: unknown) => thrown)
    expect(isClientError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'no-answer', key: 'order-17', cause: expect.any(TypeError) })
    expect(server.arrivals).toHaveLength(2)
  })

  test.each(['no protocol://', 'http://:0:0/'])('what fetch refuses to begin with: %s', async (url) => {
    const events: ClientEvent[] = []
    const client = createClient({ on: (event) => events.push(event) })
    await expect(client.fetch(url, order)).rejects.toBeInstanceOf(TypeError)
    expect(events).toEqual([])
  })
})

describe('time', () => {
  test('Retry-After in seconds is waited for, plus a little that differs between clients', async () => {
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': '1' } }, ok)
    await idempotentFetch(server.url, order)
    const [first, second] = server.arrivals.map(({ atMs }) => atMs)
    expect(Number(second) - Number(first)).toBeGreaterThanOrEqual(995)
    expect(Number(second) - Number(first)).toBeLessThan(2500)
  })

  test('Retry-After as a date is measured from the answer’s own Date', async () => {
    const date = 'Tue, 24 Nov 2026 03:25:00 GMT'
    const later = 'Tue, 24 Nov 2026 03:25:01 GMT'
    const waits: (number | undefined)[] = []
    const client = createClient({
      on: (event) => void (event.type === 'answer' && waits.push(event.waitMs)),
    })
    const server = await scriptedServer({ status: 503, headers: { Date: date, 'Retry-After': later } }, ok)
    await client.fetch(server.url, order)
    expect(waits[0]).toBeGreaterThanOrEqual(1000)
    expect(waits[0]).toBeLessThanOrEqual(1300)
  })

  test('a Retry-After beyond the deadline is not waited for', async () => {
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': '3600' } }, ok)
    const response = await createClient({ deadline: '2s' }).fetch(server.url, order)
    expect(response.status).toBe(503)
    expect(server.arrivals).toHaveLength(1)
  })

  test.each(['soon', '1.5', '-1', '2026-11-24'])('a Retry-After of %j is none', async (value) => {
    const waits: (number | undefined)[] = []
    const client = createClient({
      on: (event) => void (event.type === 'answer' && waits.push(event.waitMs)),
    })
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': value } }, ok)
    await client.fetch(server.url, order)
    expect(waits[0]).toBeLessThanOrEqual(300)
  })

  test('the wait doubles up to ten seconds, and any part of it may be drawn', () => {
    const settings = { retries: 8, deadlineMs: 3_600_000, attemptTimeoutMs: 1000, requireSupport: false }
    const waits = (drawn: number) => {
      vi.spyOn(Math, 'random').mockReturnValue(drawn)
      const schedule = new Schedule(settings, () => true)
      return Array.from({ length: 9 }, () => schedule.afterFailure())
    }
    expect(waits(1)).toEqual([300, 600, 1200, 2400, 4800, 9600, 10_000, 10_000, undefined])
    expect(waits(0.5).slice(0, 3)).toEqual([150, 300, 600])
    expect(waits(0)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, undefined])
  })

  test('an attempt that takes too long is given up, and the next one may succeed', async () => {
    const server = await scriptedServer('silence', ok)
    const events: ClientEvent[] = []
    const client = createClient({ attemptTimeout: 80, on: (event) => events.push(event) })
    expect((await client.fetch(server.url, order)).status).toBe(201)
    expect(events.map(({ type }) => type)).toEqual(['sent', 'failed', 'sent', 'answer'])
    expect(events[1]).toMatchObject({ error: { name: 'TimeoutError' } })
  })

  test('the deadline ends an attempt that runs', async () => {
    const server = await scriptedServer('silence')
    const begunMs = performance.now()
    const sending = createClient({ deadline: 120 }).fetch(server.url, order)
    await expect(sending).rejects.toMatchObject({ code: 'no-answer', cause: { name: 'TimeoutError' } })
    expect(performance.now() - begunMs).toBeLessThan(1000)
  })

  test('an answer is read to its end within the attempt, unless it is to be streamed', async () => {
    const server = await scriptedServer('break-midway')
    await expect(createClient({ retries: 1 }).fetch(server.url, order)).rejects.toMatchObject({
      code: 'no-answer',
    })
    expect(server.arrivals).toHaveLength(2)
    const response = await createClient({ wholeAnswer: false }).fetch(server.url, order)
    expect(response.status).toBe(201)
    await expect(response.text()).rejects.toThrow()
  })
})

describe('the caller’s signal', () => {
  test('ends the attempt at once, and no other follows', async () => {
    const server = await scriptedServer('silence')
    const controller = new AbortController()
    const sending = idempotentFetch(server.url, { ...order, signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await expect(sending).rejects.toMatchObject({ name: 'AbortError' })
    expect(server.arrivals).toHaveLength(1)
  })

  test('ends the pause between attempts', async () => {
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': '30' } })
    const begunMs = performance.now()
    const sending = idempotentFetch(server.url, { ...order, signal: AbortSignal.timeout(60) })
    await expect(sending).rejects.toMatchObject({ name: 'TimeoutError' })
    expect(performance.now() - begunMs).toBeLessThan(2000)
  })

  test('that had aborted before lets nothing out', async () => {
    const server = await scriptedServer(ok)
    const sending = idempotentFetch(server.url, { ...order, signal: AbortSignal.abort() })
    await expect(sending).rejects.toMatchObject({ name: 'AbortError' })
    expect(server.arrivals).toHaveLength(0)
  })

  test('ends also a fetch that does not heed it', async () => {
    const client = createClient({ fetch: () => new Promise(() => {}), attemptTimeout: 50, retries: 1 })
    await expect(client.fetch('/orders', order)).rejects.toMatchObject({ code: 'no-answer' })
  })
})

describe('requireSupport', () => {
  const expires = { 'Idempotency-Expires': 'Tue, 24 Nov 2026 03:25:00 GMT' }

  test('sends an unsafe request once only, until its origin has proved that it honours keys', async () => {
    const client = createClient({ requireSupport: true })
    const server = await scriptedServer({ status: 503, headers: expires }, 'break', {
      status: 201,
      headers: expires,
    })
    // The first answer is proof.
    expect((await client.fetch(server.url, order)).status).toBe(201)
    expect(server.arrivals).toHaveLength(3)
    const other = await scriptedServer('break', ok)
    await expect(client.fetch(other.url, order)).rejects.toMatchObject({ code: 'no-answer' })
    expect(other.arrivals).toHaveLength(1)
    const third = await scriptedServer({ status: 503 }, ok)
    expect((await client.fetch(third.url, order)).status).toBe(503)
  })

  test('lets safe requests be retried anywhere', async () => {
    const server = await scriptedServer('break', ok)
    expect((await createClient({ requireSupport: true }).fetch(server.url)).status).toBe(201)
  })
})

describe('options', () => {
  test.each<[string, ClientOptions | Record<string, unknown>]>([
    ['retries', { retries: -1 }],
    ['retries', { retries: 1.5 }],
    ['deadline', { deadline: 'soon' }],
    ['attemptTimeout', { attemptTimeout: 0 }],
    ['format', { format: 'bare' }],
    ['retry', { retry: 3 }],
  ])('%s: what can’t be meant is refused by name', (name, options) => {
    expect(() => createClient(options as ClientOptions)).toThrow(`"${name}"`)
  })

  test('a listener that throws loses no answer', async () => {
    vi.spyOn(console, 'error').mockReturnValue()
    const server = await scriptedServer(ok)
    const client = createClient({
      on: () => {
        throw new Error('a bug in a log')
      },
    })
    expect((await client.fetch(server.url, order)).status).toBe(201)
    expect(server.arrivals).toHaveLength(1)
  })
})
