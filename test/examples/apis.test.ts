// The recipes for GraphQL, tRPC and webhooks, on real servers.
import { createHmac, randomUUID } from 'node:crypto'
import { initTRPC } from '@trpc/server'
import { createExpressMiddleware } from '@trpc/server/adapters/express'
import express, { type Express, type Request } from 'express'
import { buildSchema, graphql } from 'graphql'
import { expect, onTestFinished, test } from 'vitest'
import { isQuery } from '../../examples/recipes/graphql.ts'
import { onlyQueries } from '../../examples/recipes/trpc.ts'
import { requireSignature, signedEvent } from '../../examples/recipes/webhook.ts'
import { idempotency } from '../../src/adapters/express.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { countingStore } from '../../src/testing/adapter/stores.ts'
import { listen } from '../support/adapters/serve.ts'

test('GraphQL: mutations are guarded, queries never', async () => {
  const { store, total } = countingStore(memoryStore())
  const once = idempotency<Request>({ store, scope: false, skip: (req) => isQuery(req.body) })
  let orders = 0
  const schema = buildSchema('type Query { orders: Int! } type Mutation { order(item: String!): Int! }')
  const rootValue = { orders: () => orders, order: () => (orders += 1) }
  const app = express()
  app.post('/graphql', express.json(), once, async (req, res) => {
    const { query, operationName } = req.body as { query: string; operationName?: string }
    res.json(await graphql({ schema, rootValue, source: query, operationName: operationName ?? null }))
  })
  const send = await sender(app)
  const ask = (query: string, operationName?: string) =>
    send('/graphql', JSON.stringify({ query, operationName }), { 'Idempotency-Key': 'k1' })

  const mutation = 'mutation { order(item: "book") }'
  expect(await ask(mutation)).toMatchObject({ status: 200, body: '{"data":{"order":1}}', replayed: null })
  expect(await ask(mutation)).toMatchObject({ body: '{"data":{"order":1}}', replayed: 'true' })
  expect(await ask('mutation { order(item: "pen") }')).toMatchObject({ status: 422 })

  const before = total()
  const two = 'query Count { orders } mutation Add { order(item: "pen") }'
  for (const query of ['{ orders }', 'query Q { orders }']) {
    expect(await ask(query)).toMatchObject({ body: '{"data":{"orders":1}}', replayed: null })
  }
  expect(await ask(two, 'Count')).toMatchObject({ body: '{"data":{"orders":1}}', replayed: null })
  expect(total()).toBe(before)
  // Under the key of another request: proof that it is guarded.
  for (const [query, name] of [[two, 'Add'], [two], ['no GraphQL'], ['subscription { orders }']] as const) {
    expect(await ask(query, name)).toMatchObject({ status: 422 })
  }
  expect(orders).toBe(1)
})

test('tRPC: mutations are guarded, queries never, whatever their method', async () => {
  const { store, total } = countingStore(memoryStore())
  const t = initTRPC.create()
  let orders = 0
  const router = t.router({
    order: t.router({
      add: t.procedure.mutation(() => (orders += 1)),
      count: t.procedure.query(() => orders),
    }),
  })
  const once = idempotency<Request>({ store, scope: false, skip: (req) => onlyQueries(router, req.path) })
  const app = express()
  app.use('/trpc', once, createExpressMiddleware({ router, allowMethodOverride: true }))
  const send = await sender(app)
  const call = (path: string) => send(`/trpc/${path}`, '{}', { 'Idempotency-Key': 'k1' })

  expect(await call('order.add')).toMatchObject({ body: '{"result":{"data":1}}', replayed: null })
  expect(await call('order.add')).toMatchObject({ body: '{"result":{"data":1}}', replayed: 'true' })
  const before = total()
  expect(await call('order.count')).toMatchObject({ body: '{"result":{"data":1}}', replayed: null })
  expect(await call('order.count,order.count?batch=1')).toMatchObject({ replayed: null })
  expect(total()).toBe(before)
  for (const path of ['order.count,order.add?batch=1', 'order.none']) {
    expect(await call(path)).toMatchObject({ status: 422 })
  }
  expect(orders).toBe(1)
})

test('webhooks: what is not signed claims nothing; a delivery that comes again gets the first answer', async () => {
  const { store, total } = countingStore(memoryStore())
  const secret = `whsec_${Buffer.from('a secret of 24 bytes....').toString('base64')}`
  const once = idempotency<Request>({ store, scope: () => 'payments', ...signedEvent })
  let orders = 0
  const app = express()
  app.post('/webhook', express.raw({ type: () => true }), requireSignature(secret), once, (_req, res) => {
    orders += 1
    res.json({ orders })
  })
  const send = await sender(app)
  const id = `msg_${randomUUID()}`
  const deliver = (body: string, signed: { secret?: string; ageMs?: number; body?: string } = {}) => {
    const sentAt = Math.floor((Date.now() - (signed.ageMs ?? 0)) / 1_000)
    const key = Buffer.from((signed.secret ?? secret).slice('whsec_'.length), 'base64')
    const signature = createHmac('sha256', key).update(`${id}.${sentAt}.${signed.body ?? body}`)
    return send('/webhook', body, {
      'webhook-id': id,
      'webhook-timestamp': `${sentAt}`,
      'webhook-signature': `v1,bm9uZQ== v1,${signature.digest('base64')}`,
    })
  }
  const forged = [{ secret: 'whsec_b3RoZXI=' }, { ageMs: 600_000 }, { body: 'other' }]
  for (const signed of forged) expect(await deliver('{"paid":1}', signed)).toMatchObject({ status: 401 })
  expect(await send('/webhook', '{"paid":1}', {})).toMatchObject({ status: 401 })
  expect(total()).toBe(0)

  expect(await deliver('{"paid":1,"try":1}')).toMatchObject({ body: '{"orders":1}', replayed: null })
  expect(await deliver('{"paid":1,"try":2}')).toMatchObject({ body: '{"orders":1}', replayed: 'true' })
  expect(orders).toBe(1)
})

async function sender(app: Express) {
  const server = await listen(app)
  onTestFinished(() => server.close())
  return async (path: string, body: string, headers: Record<string, string>) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body,
    })
    const replayed = response.headers.get('idempotent-replayed')
    return { status: response.status, body: await response.text(), replayed }
  }
}
