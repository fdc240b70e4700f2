// Any sequence of network faults gives one effect for one intent, against hapax on Express, over real sockets.
import * as fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient, isClientError } from '../../src/client/index.ts'
import { createIntents, type Intents } from '../../src/client/intents.ts'
import { faultyNetwork, networkFaults } from './faulty-network.ts'
import { openShop } from './shop.ts'

// Waits are drawn by chance, and this test need not sit through them.
const random = Math.random
beforeEach(() => void vi.spyOn(Math, 'random').mockImplementation(() => random() / 60))
afterEach(() => void vi.restoreAllMocks())

const attemptTimeout = 120
let purchase = 0

test('one effect for one intent, and every customer holds its order', async () => {
  const shop = await openShop({ workMs: 15 })
  const faults = fc.array(fc.constantFrom(...networkFaults), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      faults,
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
      async (met, buyers, retries) => {
        const network = await faultyNetwork(shop.port, met, attemptTimeout * 1.5)
        const items = Array.from({ length: buyers }, () => `item-${(purchase += 1)}`)
        const orders = await Promise.all(items.map((item) => buy(`${network.url}/orders`, item, retries)))
        await network.idle()
        network.close()
        for (const [index, item] of items.entries()) {
          expect(shop.sold.filter((sold) => sold === item)).toEqual([item])
          expect(orders[index]).toEqual({ status: 201, item })
        }
      },
    ),
    { numRuns: 25, endOnFailure: true },
  )
}, 60_000)

interface Order {
  readonly status: number
  readonly item?: unknown
}

/** A double click, and then one click after each failure, as somebody does who wants the thing. */
async function buy(url: string, item: string, retries: number): Promise<Order> {
  const intents = createIntents({ client: createClient({ attemptTimeout, retries }) })
  const [first, second] = await Promise.all([click(intents, url, item), click(intents, url, item)])
  expect(second).toEqual(first)
  let order = first
  for (let clicks = 0; order === undefined && clicks < 100; clicks += 1)
    order = await click(intents, url, item)
  if (order === undefined) throw new Error('Nothing ever got through.')
  return order
}

/** Undefined where the page says: try again. */
async function click(intents: Intents, url: string, item: string): Promise<Order | undefined> {
  const body = JSON.stringify({ item })
  const headers = { 'Content-Type': 'application/json' }
  try {
    const response = await intents.fetch(url, { method: 'POST', headers, body })
    const { status } = response
    if (status === 503 || status === 429) return undefined
    const answer: unknown = await response.json()
    return { status, item: Object(answer).item }
  } catch (error) {
    if (isClientError(error) && error.code === 'no-answer') return undefined
    throw error
  }
}
