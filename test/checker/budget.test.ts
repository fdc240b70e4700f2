import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCheck } from '../../src/checker/run.ts'

// Every order is new, and no two take as long, so that rounds side by side end apart from each other.
let orders = 0
let inFlight = 0
const server = createServer((_, response) => void order(response))

async function order(response: ServerResponse): Promise<void> {
  orders += 1
  inFlight += 1
  const number = orders
  await sleep(5 + (number % 7) * 20)
  inFlight -= 1
  response.end(JSON.stringify({ id: `order-${number}` }))
}

beforeAll(() => new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve)))
afterAll(() => void server.close())

test.each([20, 24, 28])(
  'a row that meets the limit of %i executions leaves nothing in flight',
  async (maxEffects) => {
    const before = orders
    // A TCP listener's address is always an AddressInfo.
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
    const report = await runCheck({ url, data: '{"quantity":2}', only: ['CON-01'], maxEffects })
    expect(inFlight).toBe(0)
    expect(orders - before).toBeLessThanOrEqual(maxEffects)
    expect(report.results[0]?.exchanges.length).toBeLessThan(40)
  },
)
