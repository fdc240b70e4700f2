import { createServer } from 'node:http'
import express from 'express'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Reference, startReference } from '../../src/checker/reference/server.ts'
import { expectIdempotent, NotIdempotent, type RequestHandler } from '../../src/testing/conformance.ts'

const body = { marker: '{{marker}}', amount: 1 }
const rows = { only: ['FID-01', 'MM-01', 'CON-01'], rounds: 2 }
let orders = 0
let reference: Reference

const forgetful: RequestHandler = (request, response) => {
  request.resume().on('end', () => {
    orders += 1
    response.end(JSON.stringify({ id: `order-${orders}` }))
  })
}

/** Requires the key, and says nothing about it when it is missing. */
const unexplained: RequestHandler = (request, response) => {
  const keyed = request.headers['idempotency-key'] !== undefined
  response.writeHead(keyed ? 200 : 400, keyed ? { 'X-Id': `${(orders += 1)}` } : {}).end()
}

beforeAll(async () => {
  reference = await startReference()
})
afterAll(() => reference.close())

test('a URL that keeps the promise', async () => {
  const report = await expectIdempotent(reference.url, { body }, rows)
  expect(report.results.map((result) => result.verdict)).toEqual(['pass', 'pass', 'pass'])
})

test('a handler that does not: the message says what happened', async () => {
  const failure: unknown = await expectIdempotent(forgetful, { path: '/orders?x=1', body }, rows).catch(
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(NotIdempotent)
  const text = failure instanceof NotIdempotent ? failure.message : ''
  expect(text).toMatch(/^3 rows of the conformance list fail:/)
  expect(text).toMatch(/FID-01 ★ A repeat gets the first answer/)
  expect(text).toMatch(/got {7}the repeat: 2 effects/)
  expect(text).toMatch(/sent {6}POST \/orders\?x=1 {2}Idempotency-Key: "/)
  expect(text).toMatch(/again {5}hapax check/)
})

test('an Express application, and one that merely remembers', async () => {
  const app = express()
  const answers = new Map<string, { body: string; answer: string }>()
  app.post('/orders', express.text({ type: '*/*' }), (req, res) => {
    const key = req.get('Idempotency-Key') ?? ''
    const known = answers.get(key)
    if (known !== undefined && known.body !== req.body) return void res.status(422).end()
    const answer = known?.answer ?? JSON.stringify({ id: `order-${(orders += 1)}` })
    answers.set(key, { body: String(req.body), answer })
    res.type('json').send(answer)
  })
  const report = await expectIdempotent(app, { path: '/orders', body }, rows)
  expect(report.facts.witness).toEqual({ kind: 'pointer', pointer: '/id' })
})

test('a server that listens is left listening, another is closed', async () => {
  const server = createServer(forgetful)
  await expect(expectIdempotent(server, { body }, rows)).rejects.toThrow(NotIdempotent)
  expect(server.listening).toBe(false)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  await expect(expectIdempotent(server, { body }, rows)).rejects.toThrow(NotIdempotent)
  expect(server.listening).toBe(true)
  server.close()
})

test('what cannot be tested is an error, not a success', async () => {
  await expect(expectIdempotent('http://127.0.0.1:9/', { body })).rejects.toThrow(/connection was refused/)
  await expect(expectIdempotent(reference.url, { body }, { only: ['FLT-05'] })).rejects.toThrow(
    /No row could be judged/,
  )
})

test('strict counts warnings', async () => {
  const options = { only: ['MIS-01', 'MIS-02'], witness: 'X-Id' }
  const report = await expectIdempotent(unexplained, { body }, options)
  expect(report.results.map((result) => result.verdict)).toEqual(['pass', 'warn'])
  await expect(expectIdempotent(unexplained, { body }, { ...options, strict: true })).rejects.toThrow(
    /MIS-02/,
  )
})
