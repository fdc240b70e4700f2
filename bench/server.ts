// One Express server in a process of its own, so that its CPU time is the server's alone.
import { randomUUID } from 'node:crypto'
import express from 'express'
import { Redis } from 'ioredis'
import { idempotency } from '../src/adapters/express.ts'
import type { Store } from '../src/core/store.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { redisStore } from '../src/stores/redis.ts'
import { sqliteStore } from '../src/stores/sqlite.ts'
import type { Handler } from './variants.ts'

// What `served.ts` gives.
const [handler, file, redisUrl] = process.argv.slice(2) as [Handler, string, string]

/** As large as the record of the benchmark's answer. */
const recordSized = 'r'.repeat(530)
const dayMs = 86_400_000

const app = express()
switch (handler) {
  case 'memory':
    guard(memoryStore({ maxRecords: 10_000_000, maxBytes: 8 * 1024 ** 3 }))
    break
  case 'sqlite':
    guard(sqliteStore(file))
    break
  case 'redis':
    guard(redisStore(new Redis(redisUrl), { silence: ['redis-evicts', 'redis-not-persistent'] }))
}
app.use(express.json())
switch (handler) {
  case 'one-command':
    await callRedisFirst(async (redis) => redis.getBuffer('bare:read'))
    break
  case 'two-commands':
    await callRedisFirst(async (redis) => {
      await redis.getBuffer('bare:read')
      await redis.set(`bare:${randomUUID()}`, recordSized, 'PX', dayMs)
    })
}
app.post('/orders', (request, response) => {
  const order = request.body as { item: string; quantity: number }
  response.status(201).json({ id: 'ord_1', ...order, status: 'paid' })
})
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.({ kind: 'listening', port: address?.port })
})

process.on('message', () => process.send?.({ kind: 'cpu', micros: cpuMicros() }))
process.on('disconnect', () => process.exit())

function guard(store: Store): void {
  app.use(idempotency({ store, scope: false }))
}

async function callRedisFirst(work: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis(redisUrl)
  await redis.set('bare:read', recordSized)
  app.use((_request, _response, next) => {
    work(redis).then(() => next(), next)
  })
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
