// The recipes for queues and schedules: BullMQ and the records on a real Redis.
import { Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { processOnce } from '../../examples/recipes/bullmq.ts'
import { oncePerSlot } from '../../examples/recipes/cron.ts'
import { startRedis } from '../../scripts/services/index.ts'
import { createIdempotency } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { servers } from '../support/servers.ts'

const redis = await servers(() => startRedis())
if (redis !== undefined) {
  afterAll(() => redis.stop())
  const connection = { host: '127.0.0.1', port: redis.port }
  const client = new Redis(redis.url)
  afterAll(() => client.disconnect())
  const records = () =>
    createIdempotency({ store: redisStore(client, { silence: ['redis-not-persistent'] }) })

  interface Order {
    readonly item: string
  }

  async function open(queue: string, work: Parameters<typeof processOnce<Order, string>>[2]) {
    const jobs = new Queue<Order, string>(queue, { connection })
    const events = new QueueEvents(queue, { connection })
    const worker = new Worker<Order, string>(queue, processOnce(records(), queue, work), { connection })
    await Promise.all([events.waitUntilReady(), worker.waitUntilReady()])
    onTestFinished(async () => {
      await Promise.all([worker.close(), events.close(), jobs.close()])
    })
    return async (jobId: string, item: string): Promise<string> => {
      const options = { jobId, attempts: 3, backoff: 20, removeOnComplete: true, removeOnFail: true }
      const job = await jobs.add('order', { item }, options)
      return job.waitUntilFinished(events)
    }
  }

  test('BullMQ: a job that comes again gets the first result, although the queue has forgotten it', async () => {
    let orders = 0
    const add = await open('again', async () => `order ${(orders += 1)}`)
    expect(await add('order-17', 'book')).toBe('order 1')
    expect(await add('order-17', 'book')).toBe('order 1')
    expect(await add('order-18', 'book')).toBe('order 2')
    // Another job under that id will never be right, and is not tried again.
    await expect(add('order-17', 'pen')).rejects.toThrow(/differs/)
    expect(orders).toBe(2)
  })

  test('BullMQ: a job that failed is tried again, and its steps are not', async () => {
    const charges: string[] = []
    let attempts = 0
    const add = await open('steps', async ({ item }, { step }) => {
      const charge = await step('charge', async () => {
        charges.push(item)
        return charges.length
      })
      attempts += 1
      if (attempts < 3) throw new Error('The mail server is away.')
      return `charge ${charge}, attempt ${attempts}`
    })
    expect(await add('order-1', 'book')).toBe('charge 1, attempt 3')
    expect(charges).toEqual(['book'])
  })
}

test('cron: of many instances one runs the job each time that it is due', async () => {
  const store = memoryStore()
  const instances = Array.from({ length: 5 }, () => createIdempotency({ store }))
  const slots: string[] = []
  const tick = (nowMs: number) =>
    Promise.all(
      instances.map((once, index) =>
        // Their clocks differ a little, and all of them are a little late.
        oncePerSlot(once, { name: 'invoices', everyMs: 60_000, nowMs: nowMs + index * 100 }, async () => {
          await new Promise((resolve) => setTimeout(resolve, 20))
          slots.push(new Date(nowMs).toISOString())
        }),
      ),
    )
  const first = Date.UTC(2026, 0, 1, 12)
  expect((await tick(first)).toSorted()).toEqual(['done', ...Array.from({ length: 4 }, () => 'elsewhere')])
  expect(await tick(first + 1_000)).toEqual(instances.map(() => 'done'))
  await tick(first + 60_000)
  expect(slots).toEqual(['2026-01-01T12:00:00.000Z', '2026-01-01T12:01:00.000Z'])
})
