import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient } from '../../src/client/index.ts'
import { createIntents, memoryStorage } from '../../src/client/intents.ts'
import { Submission, type SendContext } from '../../src/client/submission.ts'
import { openShop } from './shop.ts'

const random = Math.random
beforeEach(() => void vi.spyOn(Math, 'random').mockImplementation(() => random() / 100))
afterEach(() => void vi.restoreAllMocks())

function order(url: string) {
  return async (item: string, { fetch }: SendContext): Promise<number> => {
    const response = await fetch(url, { method: 'POST', body: item })
    if (!response.ok) throw new Error(`refused with ${response.status}`)
    return Number(Object(await response.json()).order)
  }
}

test('tells each state, in order', async () => {
  const shop = await openShop()
  const submission = new Submission(order(shop.url))
  const states: string[] = [submission.state.status]
  submission.subscribe(() => states.push(submission.state.status))
  await submission.submit('book', 'book')
  submission.reset()
  expect(states).toEqual(['idle', 'sending', 'done', 'idle'])
})

test('other variables after the outcome are another intent', async () => {
  const shop = await openShop()
  const submission = new Submission(order(shop.url))
  expect(await submission.submit('book', 'book')).toBe(1)
  expect(await submission.submit('coffee', 'coffee')).toBe(2)
  expect(submission.state).toMatchObject({ status: 'done', data: 2 })
  expect(shop.sold).toEqual(['book', 'coffee'])
})

test('an answer that the page failed to read is asked for again, not bought again', async () => {
  const shop = await openShop()
  let bugs = 1
  const submission = new Submission(async (item: string, context: SendContext) => {
    const data = await order(shop.url)(item, context)
    if (bugs-- > 0) throw new Error('a bug in the page')
    return data
  })
  await expect(submission.submit('book', 'book')).rejects.toThrow('a bug')
  expect(submission.state.status).toBe('failed')
  expect(await submission.submit('book', 'book')).toBe(1)
  expect(shop.sold).toEqual(['book'])
})

test('after a failure whose outcome is open, another request is refused until reset()', async () => {
  const shop = await openShop({ refuseWith: () => (shop.sold.length === 0 ? 500 : undefined) })
  const submission = new Submission(order(shop.url), {
    intents: createIntents({ client: createClient({ retries: 0 }) }),
  })
  await expect(submission.submit('book', 'book')).rejects.toThrow('500')
  await expect(submission.submit('coffee', 'coffee')).rejects.toMatchObject({ code: 'intent-pending' })
  submission.reset()
  await expect(submission.submit('coffee', 'coffee')).rejects.toThrow('500')
})

test('after a refusal the corrected request goes out under a key of its own', async () => {
  let refusals = [422]
  const shop = await openShop({ refuseWith: () => refusals.pop() })
  const submission = new Submission(order(shop.url))
  await expect(submission.submit('book', 'book')).rejects.toThrow('422')
  expect(await submission.submit('coffee', 'coffee')).toBe(1)
})

test('a named intent outlives the page, and its name serves the next purchase', async () => {
  const shop = await openShop()
  const storage = memoryStorage()
  const page = () =>
    new Submission(order(shop.url), { intents: createIntents({ storage }), intent: 'checkout' })
  const first = page()
  const running = first.submit('book', 'book')
  expect(
    await page()
      .submit('book', 'book')
      .catch(() => 0),
  ).toBeLessThanOrEqual(1)
  await running
  expect(shop.sold).toEqual(['book'])
  expect(await first.submit('coffee', 'coffee')).toBe(2)
  expect(await page().submit('tea', 'tea')).toBe(3)
})
