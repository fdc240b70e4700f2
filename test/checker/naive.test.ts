import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { Redis } from 'ioredis'
import { beforeAll, expect, test } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { runCheck } from '../../src/checker/run.ts'
import { servers } from '../support/servers.ts'

// The middleware of the blog posts, in an application that nobody prepared: no knob, no probe, no fixture.
const redis = await servers(startOwnRedis)
let orders = 0
let url = ''
// Some rows leave before the answer: what they began still runs here when the checker is done.
const running = new Set<Promise<void>>()

beforeAll(async () => {
  if (redis === undefined) return
  const client = new Redis(redis.url)
  const server = createServer((req, res) => {
    const run = order(client, req, res).finally(() => running.delete(run))
    running.add(run)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is always an AddressInfo.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
  return async () => {
    server.close()
    await Promise.allSettled(running)
    client.disconnect()
    await redis.stop()
  }
})

async function order(client: Redis, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = await text(req)
  const key = `idempotency:${String(req.headers['idempotency-key'])}`
  const known = await client.get(key)
  if (known !== null) {
    res.end(known)
    return
  }
  orders += 1
  const answer = JSON.stringify({ id: `order-${orders}`, of: body.length })
  await client.set(key, answer, 'EX', 86_400)
  res.end(answer)
}

// On a quiet machine every one of the twenty rounds shows it. On a busy one the duplicates of a round may arrive apart
// from each other, and a round that shows nothing proves nothing.
test.skipIf(redis === undefined)('the race is found', async () => {
  const report = await runCheck({ url, data: '{"product_id":"prod_123","quantity":2}', only: ['CON-01'] })
  const [race] = report.results
  expect(race?.verdict).toBe('fail')
  expect(race?.findings.length).toBeGreaterThanOrEqual(10)
  expect(race?.notes.join()).toContain(`in ${race?.findings.length} of 20 rounds`)
  expect(report.facts.witness).toEqual({ kind: 'pointer', pointer: '/id' })
})

test.skipIf(redis === undefined)('no more executions than allowed, whatever the server does', async () => {
  const before = orders
  const report = await runCheck({
    url,
    data: '{"quantity":2}',
    profile: 'safety',
    skip: ['LRG'],
    maxEffects: 25,
  })
  expect(orders - before).toBeLessThanOrEqual(25)
  expect(report.effects.used).toBeLessThanOrEqual(25)
  expect(report.results.some((result) => result.summary.includes('--max-effects 25'))).toBe(true)
})
