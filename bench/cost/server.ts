// A server of which a request says how large its answer is and how long it takes, in a process of its own.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { Redis } from 'ioredis'
import { idempotency } from '../../src/adapters/express.ts'
import type { Store } from '../../src/core/store.ts'
import type { Idempotency } from '../../src/core/idempotency.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { orderOf } from './orders.ts'
import type { Subject } from './subject.ts'

// What `subject.ts` gives.
const subject = JSON.parse(process.argv[2] ?? '') as Subject
const store = openStore()
const app = express()
const once =
  store && idempotency({ store, scope: false, concurrent: subject.waits ? { wait: '60s' } : 'reject' })
if (once !== undefined) app.use(once)
app.use(express.json({ limit: '2mb' }))

let runs = 0
const answers = new Map<number, Buffer>()
app.post('/orders', async (request, response) => {
  runs += 1
  const run = runs
  const pauseMs = Number(request.get('pause-ms') ?? 0)
  if (pauseMs > 0) await sleep(pauseMs)
  const bytes = Number(request.get('answer-bytes') ?? 0)
  response
    .status(201)
    .type('json')
    .send(bytes > 0 ? answerOf(bytes) : JSON.stringify({ run }))
})

if (once !== undefined) await holdRuns(once, subject.heldRuns)
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') process.send?.(address.port)
})
process.on('disconnect', () => process.exit())

function openStore(): Store | undefined {
  switch (subject.store) {
    case 'none':
      return undefined
    case 'sqlite':
      return sqliteStore(subject.file)
    case 'redis':
      return redisStore(new Redis(subject.redisUrl), { silence: ['redis-evicts', 'redis-not-persistent'] })
  }
}

/** Starts runs that never end, and resolves once all have begun. */
async function holdRuns({ run }: Idempotency, count: number): Promise<void> {
  const scope = randomUUID()
  // All at once, the last claims would wait longer than a store operation may take.
  const atATime = 200
  for (let from = 0; from < count; from += atATime) {
    const batch = Array.from({ length: Math.min(atATime, count - from) }, (_, index) => {
      return new Promise<void>((begun, failed) => {
        run({ key: `held-${from + index}`, scope }, () => {
          begun()
          return new Promise(() => {})
        }).catch(failed)
      })
    })
    await Promise.all(batch)
  }
}

function answerOf(bytes: number): Buffer {
  const known = answers.get(bytes)
  if (known !== undefined) return known
  const answer = Buffer.from(orderOf(bytes))
  answers.set(bytes, answer)
  return answer
}
