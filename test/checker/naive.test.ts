import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runCheck } from '../../src/checker/run.ts'

// The middleware of the blog posts, in an application that nobody prepared: no knob, no probe, no fixture.
// Its store takes a round trip, as Redis does.
const stored = new Map<string, string>()
let orders = 0
const server = createServer((req, res) => {
  void (async () => {
    let body = ''
    for await (const part of req) body += String(part)
    const key = String(req.headers['idempotency-key'])
    await sleep(5)
    const known = stored.get(key)
    if (known !== undefined) {
      res.end(known)
      return
    }
    orders += 1
    const answer = JSON.stringify({ id: `order-${orders}`, of: body.length })
    await sleep(5)
    stored.set(key, answer)
    res.end(answer)
  })()
})
let url = ''

beforeAll(async () => {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP listener's address is always an AddressInfo.
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`
})
afterAll(() => {
  server.close()
})

test('the race is found twenty times of twenty', async () => {
  const report = await runCheck({ url, data: '{"product_id":"prod_123","quantity":2}', only: ['CON-01'] })
  const [race] = report.results
  expect(race?.verdict).toBe('fail')
  expect(race?.findings.length).toBe(20)
  expect(race?.notes).toContain('in 20 of 20 rounds')
  expect(report.facts.witness).toEqual({ kind: 'pointer', pointer: '/id' })
})

test('no more executions than allowed, whatever the server does', async () => {
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
