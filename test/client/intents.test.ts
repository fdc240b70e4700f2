import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Client, type ClientError, createClient, isClientError } from '../../src/client/index.ts'
import { createIntents, type IntentStorage, memoryStorage } from '../../src/client/intents.ts'
import { problem, scriptedServer } from './scripted-server.ts'
import { openShop } from './shop.ts'

const random = Math.random
beforeEach(() => void vi.spyOn(Math, 'random').mockImplementation(() => random() / 100))
afterEach(() => void vi.restoreAllMocks())

const book = { method: 'POST', body: 'book' }
const coffee = { method: 'POST', body: 'coffee' }

/** Sends once, and then nothing comes back: the page is reloaded. */
function leaving(): Client {
  const client = createClient({ retries: 0 })
  return {
    async fetch(input, init) {
      await client.fetch(input, init)
      throw new Error('The page is gone.')
    },
  }
}

describe('a call for a pending intent', () => {
  test('joins the call that runs: a double click is one request with two readers', async () => {
    const shop = await openShop()
    const intents = createIntents()
    const answers = await Promise.all([1, 2, 3].map(() => intents.fetch(shop.url, book)))
    expect(shop.sold).toEqual(['book'])
    expect(await Promise.all(answers.map((answer) => answer.json()))).toMatchObject([
      { order: 1 },
      { order: 1 },
      { order: 1 },
    ])
    expect(answers.some(({ headers }) => headers.has('Idempotent-Replayed'))).toBe(false)
  })

  test('repeats the request after a reload, and gets the recorded answer', async () => {
    const shop = await openShop()
    const storage = memoryStorage()
    const before = createIntents({ storage, client: leaving() })
    await expect(before.fetch(shop.url, book)).rejects.toThrow('The page is gone.')

    const response = await createIntents({ storage }).fetch(shop.url, book)
    expect(response.headers.get('Idempotent-Replayed')).toBe('true')
    expect(await response.json()).toMatchObject({ order: 1 })
    expect(shop.sold).toEqual(['book'])
  })

  test('from another tab at the same moment has the same key', async () => {
    const shop = await openShop({ concurrent: { wait: '5s' } })
    const storage = memoryStorage()
    const tabs = [1, 2, 3, 4].map(() => createIntents({ storage }))
    const answers = await Promise.all(tabs.map((tab) => tab.fetch(shop.url, { ...book, intent: 'cart-17' })))
    expect(shop.sold).toEqual(['book'])
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  })

  test('recognises a form with files, though its encoding has another boundary each time', async () => {
    const keys = new Set<unknown>()
    const server = await scriptedServer({ status: 500, headers: { 'Idempotent-Replayed': 'true' } })
    const form = (cover: string) => {
      const data = new FormData()
      data.set('item', 'book')
      data.set('cover', new Blob([cover]), 'cover.png')
      return data
    }
    const intents = createIntents()
    for (const cover of ['a', 'a', 'b']) {
      await intents.fetch(server.url, { method: 'POST', body: form(cover) })
      keys.add(server.arrivals.at(-1)?.headers['idempotency-key'])
    }
    expect(server.arrivals).toHaveLength(3)
    expect(keys.size).toBe(2)
  })

  test.each(['POST body', 'other method', 'other URL', 'other body'])(
    'tells requests apart: %s',
    async (what) => {
      const storage = memoryStorage()
      const server = await scriptedServer({ status: 500, headers: { 'Idempotent-Replayed': 'true' } })
      const intents = createIntents({ storage })
      await intents.fetch(server.url, book)
      const method = what === 'other method' ? 'PUT' : 'POST'
      const url = what === 'other URL' ? `${server.url}?gift` : server.url
      await intents.fetch(url, { method, body: what === 'other body' ? 'bool' : 'book' })
      const keys = new Set(server.arrivals.map(({ headers }) => headers['idempotency-key']))
      expect(keys.size).toBe(what === 'POST body' ? 1 : 2)
    },
  )
})

describe('the key is dropped', () => {
  test('by an answer: the next call is a new intent', async () => {
    const shop = await openShop()
    const intents = createIntents()
    await intents.fetch(shop.url, book)
    await intents.fetch(shop.url, book)
    expect(shop.sold).toEqual(['book', 'book'])
  })

  test('by a refusal that will be corrected', async () => {
    let refusals = [422]
    const shop = await openShop({ refuseWith: () => refusals.pop() })
    const intents = createIntents()
    expect((await intents.fetch(shop.url, { ...book, intent: 'cart-17' })).status).toBe(422)
    expect((await intents.fetch(shop.url, { ...coffee, intent: 'cart-17' })).status).toBe(201)
  })

  test('when it expires, as the server says', async () => {
    const shop = await openShop({ refuseWith: () => 500, retain: '2s' })
    const intents = createIntents({ client: createClient({ retries: 0 }) })
    const atMs = Date.now()
    await intents.fetch(shop.url, { ...book, intent: 'cart-17' })
    const pending = await intents.pending('cart-17')
    const lifeMs = Number(pending?.expires) - atMs
    // Dates of HTTP are whole seconds.
    expect(lifeMs).toBeGreaterThanOrEqual(900)
    expect(lifeMs).toBeLessThanOrEqual(2500)
    vi.spyOn(Date, 'now').mockReturnValue(atMs + 2600)
    expect(await intents.pending('cart-17')).toBeUndefined()
    await intents.fetch(shop.url, { ...coffee, intent: 'cart-17' })
  })

  test('by forget()', async () => {
    const shop = await openShop({ refuseWith: () => 500 })
    const intents = createIntents({ client: createClient({ retries: 0 }) })
    await intents.fetch(shop.url, { ...book, intent: 'cart-17' })
    await expect(intents.fetch(shop.url, { ...coffee, intent: 'cart-17' })).rejects.toMatchObject({
      code: 'intent-pending',
    })
    await intents.forget('cart-17')
    expect((await intents.fetch(shop.url, { ...coffee, intent: 'cart-17' })).status).toBe(500)
  })

  test('by its own outcome only: not by that of an earlier intent that another tab was slow to see', async () => {
    const storage = memoryStorage()
    const server = await scriptedServer({ status: 201 })
    let late: (() => void) | undefined
    const slow: Client = {
      async fetch(input, init) {
        const response = await createClient().fetch(input, init)
        await new Promise<void>((resolve) => (late = resolve))
        return response
      },
    }
    const first = createIntents({ storage, client: slow }).fetch(server.url, { ...book, intent: 'cart-17' })
    await vi.waitFor(() => expect(late).toBeDefined())
    const other = createIntents({ storage, client: leaving() })
    await createIntents({ storage }).fetch(server.url, { ...book, intent: 'cart-17' })
    await expect(other.fetch(server.url, { ...book, intent: 'cart-17' })).rejects.toThrow('gone')
    late?.()
    await first
    expect(await other.pending('cart-17')).toBeDefined()
  })
})

describe('the key stays', () => {
  test.each([401, 403, 408, 409, 425, 429, 500, 503])('after %d', async (status) => {
    const server = await scriptedServer({ status }, { status }, { status: 201 })
    const intents = createIntents({ client: createClient({ retries: 0 }) })
    for (let call = 1; call <= 3; call += 1) await intents.fetch(server.url, { ...book, intent: 'cart-17' })
    const keys = new Set(server.arrivals.map(({ headers }) => headers['idempotency-key']))
    expect([server.arrivals.length, keys.size]).toEqual([3, 1])
    expect(await intents.pending('cart-17')).toBeUndefined()
  })

  test('after outcome-unknown, and without an answer', async () => {
    const server = await scriptedServer(problem('outcome-unknown', 409), 'break', { status: 201 })
    const intents = createIntents({ client: createClient({ retries: 0 }) })
    expect((await intents.fetch(server.url, book)).status).toBe(409)
    await expect(intents.fetch(server.url, book)).rejects.toMatchObject({ code: 'no-answer' })
    await intents.fetch(server.url, book)
    expect(new Set(server.arrivals.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  test('where the caller wants that: a cart is bought once, however often', async () => {
    const shop = await openShop()
    const intents = createIntents({ afterOutcome: 'keep' })
    const buy = () => intents.fetch(shop.url, { ...book, intent: 'cart-17' })
    expect((await buy()).status).toBe(201)
    expect((await buy()).headers.get('Idempotent-Replayed')).toBe('true')
    expect(shop.sold).toEqual(['book'])
    expect(await intents.pending('cart-17')).toBeUndefined()
  })
})

test('another request under a pending intent is refused before a byte leaves', async () => {
  const shop = await openShop({ workMs: 100 })
  const intents = createIntents()
  const first = intents.fetch(shop.url, { ...book, intent: 'cart-17' })
  await expect(intents.fetch(shop.url, { ...coffee, intent: 'cart-17' })).rejects.toMatchObject({
    code: 'intent-pending',
  })
  expect((await first).status).toBe(201)
  expect(shop.sold).toEqual(['book'])
})

test('safe requests pass through', async () => {
  const server = await scriptedServer({ status: 200 })
  await createIntents().fetch(server.url)
  expect(server.arrivals[0]?.headers['idempotency-key']).toBeUndefined()
})

test('pending() tells when the intent began, under the key that was sent', async () => {
  const server = await scriptedServer('break')
  const intents = createIntents({ client: createClient({ retries: 0 }) })
  const beforeMs = Date.now()
  await expect(intents.fetch(server.url, { ...book, intent: 'cart-17' })).rejects.toThrow()
  const pending = await intents.pending('cart-17')
  expect(`"${pending?.key}"`).toBe(server.arrivals[0]?.headers['idempotency-key'])
  expect(Number(pending?.since)).toBeGreaterThanOrEqual(beforeMs)
  expect(Number(pending?.expires) - Number(pending?.since)).toBe(86_400_000)
})

describe('a storage that fails', () => {
  const failing = (error: Error, from = 0): IntentStorage => {
    const storage = memoryStorage()
    let calls = 0
    return {
      change(name, next) {
        // Like a browser's: what is kept can be read, and then nothing can be written.
        return storage.change(name, (kept) => {
          const text = next(kept)
          calls += 1
          if (calls > from && text !== kept) throw error
          return text
        })
      },
    }
  }
  const full = Object.assign(new Error('no room'), { name: 'QuotaExceededError' })
  const forbidden = Object.assign(new Error('not here'), { name: 'SecurityError' })

  test.each([
    ['storage-full', full],
    ['storage-full', Object.assign(new Error('disk'), { code: 'ENOSPC' })],
    ['storage-forbidden', forbidden],
  ])('%s is told, typed, and the purchase goes out once', async (code, error) => {
    const shop = await openShop()
    const warnings: ClientError[] = []
    const intents = createIntents({ storage: failing(error), onWarning: (warning) => warnings.push(warning) })
    const answers = await Promise.all([intents.fetch(shop.url, book), intents.fetch(shop.url, book)])
    expect(answers.map(({ status }) => status)).toEqual([201, 201])
    expect(shop.sold).toEqual(['book'])
    expect(warnings).toMatchObject([{ code, cause: error }])
    expect(warnings.every(isClientError)).toBe(true)
  })

  test('a key that can be read, and no longer written, is not replaced', async () => {
    const server = await scriptedServer({
      status: 500,
      headers: { 'Idempotent-Replayed': 'true', 'Idempotency-Expires': 'Fri, 01 Jan 2100 00:00:00 GMT' },
    })
    const storage = failing(full, 1)
    const intents = createIntents({ storage, onWarning: () => {} })
    for (let call = 1; call <= 3; call += 1) await intents.fetch(server.url, { ...book, intent: 'cart-17' })
    expect(new Set(server.arrivals.map(({ headers }) => headers['idempotency-key'])).size).toBe(1)
  })

  test.each(['not JSON', '{}', 'null', '{"key":7}'])(
    'what is none of ours is replaced, and told: %s',
    async (text) => {
      const shop = await openShop()
      const storage = memoryStorage()
      void storage.change('cart-17', () => text)
      const codes: string[] = []
      const intents = createIntents({ storage, onWarning: ({ code }) => codes.push(code) })
      expect((await intents.fetch(shop.url, { ...book, intent: 'cart-17' })).status).toBe(201)
      expect(codes).toEqual(['storage-unreadable'])
      expect(shop.sold).toEqual(['book'])
    },
  )
})
