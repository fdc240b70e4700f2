import { type AxiosRequestConfig, create as createAxios, isAxiosError } from 'axios'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { axiosProblem, idempotentAxios } from '../../src/client/axios.ts'
import { problem, scriptedServer } from './scripted-server.ts'
import { openShop } from './shop.ts'

const random = Math.random
beforeEach(() => void vi.spyOn(Math, 'random').mockImplementation(() => random() / 100))
afterEach(() => void vi.restoreAllMocks())

// Node's own adapter, and the one that workers have.
describe.each(['http', 'fetch'])('axios, adapter %s', (adapter) => {
  const create = (options = {}, config: AxiosRequestConfig = {}) =>
    idempotentAxios(createAxios({ adapter, ...config }), options)

  test('repeats an unsafe request under one key with the same bytes', async () => {
    const server = await scriptedServer('break', { status: 503 }, 'break-midway', {
      status: 201,
      body: '{"order":1}',
    })
    const { data } = await create().post(server.url, { item: 'book' })
    expect(data).toEqual({ order: 1 })
    expect(server.arrivals).toHaveLength(4)
    expect(new Set(server.arrivals.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
    expect(server.arrivals[0]?.headers['idempotency-key']).toMatch(/^"[0-9a-f-]{36}"$/)
    expect(new Set(server.arrivals.map(({ body }) => body.toString()))).toEqual(new Set(['{"item":"book"}']))
    expect(new Set(server.arrivals.map(({ headers }) => headers['content-type']))).toEqual(
      new Set(['application/json']),
    )
  })

  test('transforms the data once', async () => {
    const server = await scriptedServer('break', { status: 201 })
    let sealed = 0
    const transformRequest = [(data: unknown) => `${JSON.stringify(data)} sealed ${(sealed += 1)}`]
    await create({}, { transformRequest }).post(server.url, { item: 'book' })
    const bodies = server.arrivals.map(({ body }) => body.toString())
    expect(bodies).toEqual(['{"item":"book"} sealed 1', '{"item":"book"} sealed 1'])
  })

  test('encodes a form once, and copies bytes', async () => {
    const server = await scriptedServer('break', { status: 201 }, 'break', { status: 201 })
    const form = new FormData()
    form.set('cover', new Blob(['\u0000x']), 'cover.png')
    await create().post(server.url, form)
    const mine = Buffer.from('before')
    const sending = create().post(server.url, mine)
    setTimeout(() => mine.write('after!'), 1)
    await sending
    const [first, second, third, fourth] = server.arrivals
    expect(second?.body.equals(first?.body ?? Buffer.of())).toBe(true)
    expect(first?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/)
    expect(second?.headers['content-type']).toBe(first?.headers['content-type'])
    expect([third?.body.toString(), fourth?.body.toString()]).toEqual(['before', 'before'])
  })

  test('waits for the winner, and gives its answer', async () => {
    const shop = await openShop({ workMs: 300 })
    const api = create({ retries: 0 })
    const headers = { 'Idempotency-Key': '"cart-17"' }
    const answers = await Promise.all([1, 2].map(() => api.post(shop.url, { item: 'book' }, { headers })))
    expect(answers.map(({ data }) => data.order)).toEqual([1, 1])
    expect(shop.sold).toEqual(['book'])
  })

  test.each([
    ['outcome-unknown', 409],
    ['key-reused', 422],
  ])('%s is final, typed', async (code, status) => {
    const server = await scriptedServer(problem(code, status), { status: 201 })
    const error: unknown = await create()
      .post(server.url, {})
      .catch((thrown: unknown) => thrown)
    expect(axiosProblem(error)).toMatchObject({ code, status })
    const response = await create({}, { validateStatus: () => true }).post(server.url, {})
    expect([response.status, axiosProblem(response)]).toEqual([201, undefined])
    expect(server.arrivals).toHaveLength(2)
  })

  test('sends again also where validateStatus lets everything pass', async () => {
    const server = await scriptedServer({ status: 503 }, { status: 201 })
    expect((await create({}, { validateStatus: () => true }).post(server.url, {})).status).toBe(201)
  })

  test('gives up with the error of axios, which has the key', async () => {
    const server = await scriptedServer('break')
    const sending = create({ retries: 2, format: 'raw', newKey: () => 'order-17' }).post(server.url, {})
    const error: unknown = await sending.catch((thrown: unknown) => thrown)
    expect(isAxiosError(error) && error.config?.headers.get('Idempotency-Key')).toBe('order-17')
    expect(server.arrivals).toHaveLength(3)
  })

  test('an attempt that takes too long is given up; so is the request at its deadline', async () => {
    const server = await scriptedServer('silence', { status: 201 })
    expect((await create({ attemptTimeout: 80 }).post(server.url, {})).status).toBe(201)
    const silent = await scriptedServer('silence')
    await expect(create({ deadline: 150 }).post(silent.url, {})).rejects.toThrow('timeout')
    expect(silent.arrivals).toHaveLength(1)
  })

  test('a signal ends the pause', async () => {
    const server = await scriptedServer({ status: 503, headers: { 'Retry-After': '30' } })
    const sending = create().post(server.url, {}, { signal: AbortSignal.timeout(80) })
    await expect(sending).rejects.toThrow()
    expect(server.arrivals).toHaveLength(1)
  })

  test('a stream is refused before a byte leaves', async () => {
    const server = await scriptedServer({ status: 201 })
    await expect(create().post(server.url, Readable.from(['x']))).rejects.toMatchObject({
      code: 'body-not-repeatable',
    })
    expect(server.arrivals).toHaveLength(0)
  })

  test('requireSupport: once only, until the origin has proved that it honours keys', async () => {
    const api = create({ requireSupport: true })
    const server = await scriptedServer({ status: 503 }, { status: 201 })
    await expect(api.post(server.url, {})).rejects.toMatchObject({ response: { status: 503 } })
    const other = await scriptedServer(
      { status: 503, headers: { 'Idempotency-Expires': 'x' } },
      { status: 201 },
    )
    expect((await api.post(other.url, {})).status).toBe(201)
  })

  test('GET has no key', async () => {
    const server = await scriptedServer({ status: 503 }, { status: 200 })
    await create().get(server.url)
    expect(server.arrivals.map(({ headers }) => headers['idempotency-key'])).toEqual([undefined, undefined])
  })

  test('what axios refuses to begin with is no matter of the network', async () => {
    await expect(create().post('no protocol://', {})).rejects.toThrow()
    await expect(
      create().request({ url: 'http://127.0.0.1:1', method: 'post', adapter: 'none' }),
    ).rejects.toThrow()
  })
})
