// Consumers that lose their channel or their life in the middle: RabbitMQ, and BullMQ on a real Redis.
import { fork } from 'node:child_process'
import { once as nextEvent } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Channel, connect } from 'amqplib'
import { Queue, QueueEvents, Worker } from 'bullmq'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { processOnce } from '../../examples/recipes/bullmq.ts'
import { consumeOnce } from '../../examples/recipes/rabbitmq.ts'
import { startRabbitMq, startRedis } from '../../scripts/services/index.ts'
import { createIdempotency, type RunContext } from '../../src/index.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { eventually } from '../../src/testing/adapter/deferred.ts'
import { servers } from '../support/servers.ts'
import type { ConsumerSetup, Order } from './consumers/process.ts'

/** What a surviving consumer shares with one that dies: records, and a list of effects. */
function site(queue: string) {
  const folder = mkdtempSync(join(tmpdir(), 'hapax-queues-'))
  const [records, ledger] = [join(folder, 'records.sqlite'), join(folder, 'ledger')]
  writeFileSync(ledger, '')
  const once = createIdempotency({ store: sqliteStore(records) })
  onTestFinished(async () => {
    await once.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    once,
    effects: () => readFileSync(ledger, 'utf8').split('\n').filter(Boolean),
    charge: (item: string) => writeFileSync(ledger, `${item}\n`, { flag: 'a' }),
    /** Lets a process take a message or a job, and kills it where it has stopped. */
    async dieAt(stopsAt: ConsumerSetup['stopsAt'], broker: string): Promise<void> {
      const setup: ConsumerSetup = { broker, records: `sqlite:${records}`, queue, ledger, stopsAt }
      const child = fork(fileURLToPath(new URL('consumers/process.ts', import.meta.url)), [
        JSON.stringify(setup),
      ])
      const gone = nextEvent(child, 'exit')
      const [said] = await Promise.race([nextEvent(child, 'message'), gone])
      child.kill('SIGKILL')
      await gone
      expect(said).toBe('stopped')
    },
  }
}

const rabbit = await servers(() => startRabbitMq())
if (rabbit !== undefined) {
  afterAll(() => rabbit.stop())
  const connection = await connect(rabbit.url)
  afterAll(() => connection.close())
  const options = { lease: '1s', retryMs: 200 } as const

  async function open(queue: string) {
    const control = await connection.createChannel()
    await control.assertQueue(`${queue}-aside`, { durable: true })
    await control.assertQueue(queue, {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 100,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': `${queue}-aside`,
      },
    })
    const ready = async (name: string) => (await control.checkQueue(name)).messageCount
    return {
      ...site(queue),
      send: (messageId: string | undefined, item: string) =>
        control.sendToQueue(queue, Buffer.from(JSON.stringify({ item })), {
          persistent: true,
          ...(messageId !== undefined && { messageId }),
        }),
      waiting: () => ready(queue),
      aside: () => ready(`${queue}-aside`),
      /** One message after the other: the second comes when the first is settled. */
      async channel(): Promise<Channel> {
        const channel = await connection.createChannel()
        await channel.prefetch(1)
        return channel
      },
    }
  }

  test('RabbitMQ: a message whose channel closed before the acknowledgement takes effect once', async () => {
    const queue = await open('closed')
    const first = await queue.channel()
    await consumeOnce<Order>(
      first,
      queue.once,
      'closed',
      async ({ item }) => {
        queue.charge(item)
        await first.close()
      },
      options,
    )
    queue.send('order-1', 'book')
    await eventually('the message is back in its queue', async () => (await queue.waiting()) === 1, 10_000)
    expect(queue.effects()).toEqual(['book'])

    const second = await queue.channel()
    await consumeOnce<Order>(second, queue.once, 'closed', async ({ item }) => queue.charge(item), options)
    queue.send('order-2', 'pen')
    await eventually('the next message takes effect', () => queue.effects().includes('pen'), 10_000)
    expect(queue.effects()).toEqual(['book', 'pen'])
    expect(await queue.waiting()).toBe(0)
    expect(await queue.aside()).toBe(0)
  })

  test('RabbitMQ: a consumer killed behind a step leaves the rest to another, and the step is not done again', async () => {
    const queue = await open('killed')
    queue.send('order-1', 'book')
    await queue.dieAt('step', rabbit.url)
    const done: string[] = []
    const work = async ({ item }: Order, { step }: RunContext) => {
      await step('charge', async () => queue.charge(item))
      done.push(item)
    }
    await consumeOnce<Order>(await queue.channel(), queue.once, 'killed', work, options)
    await eventually('the other consumer does the rest', () => done.length > 0, 20_000)
    expect(done).toEqual(['book'])
    expect(queue.effects()).toEqual(['book'])
    expect(await queue.aside()).toBe(0)
  })

  test('RabbitMQ: a consumer killed inside a step leaves an unknown outcome, and the message is put aside', async () => {
    const queue = await open('unknown')
    queue.send('order-1', 'book')
    await queue.dieAt('effect', rabbit.url)
    let runs = 0
    const work = async ({ item }: Order, { step }: RunContext) => {
      runs += 1
      await step('charge', async () => queue.charge(item))
    }
    await consumeOnce<Order>(await queue.channel(), queue.once, 'unknown', work, options)
    await eventually('the message is put aside', async () => (await queue.aside()) === 1, 20_000)
    expect(runs).toBe(1)
    expect(queue.effects()).toEqual(['book'])
  })

  test('RabbitMQ: what failed comes again; what can not succeed is put aside', async () => {
    const queue = await open('failing')
    let attempts = 0
    const work = async ({ item }: Order, { step }: RunContext) => {
      await step('charge', async () => queue.charge(item))
      attempts += 1
      if (attempts < 3) throw new Error('The mail server is away.')
    }
    await consumeOnce<Order>(await queue.channel(), queue.once, 'failing', work, options)
    queue.send('order-1', 'book')
    // Another message under that id, and one without.
    queue.send('order-1', 'pen')
    queue.send(undefined, 'ink')
    await eventually('both are put aside', async () => (await queue.aside()) === 2, 10_000)
    await eventually('the first is done', () => attempts === 3, 10_000)
    expect(queue.effects()).toEqual(['book'])
  })
}

const redis = await servers(() => startRedis())
if (redis !== undefined) {
  afterAll(() => redis.stop())
  const connection = { host: '127.0.0.1', port: redis.port }

  async function redelivered(queue: string, stopsAt: ConsumerSetup['stopsAt']) {
    const { once, effects, charge, dieAt } = site(queue)
    const jobs = new Queue<Order, string>(queue, { connection })
    const events = new QueueEvents(queue, { connection })
    await events.waitUntilReady()
    const job = await jobs.add('order', { item: 'book' }, { jobId: 'order-1', attempts: 50, backoff: 200 })
    const stalled = nextEvent(events, 'stalled')
    await dieAt(stopsAt, redis?.url ?? '')
    let runs = 0
    const work = async ({ item }: Order, { step, attempt }: RunContext) => {
      runs += 1
      await step('charge', async () => charge(item))
      return `attempt ${attempt}`
    }
    const worker = new Worker<Order, string>(queue, processOnce(once, queue, work, { lease: '1s' }), {
      connection,
      stalledInterval: 500,
    })
    onTestFinished(async () => {
      await Promise.all([worker.close(), events.close(), jobs.close()])
    })
    await stalled
    return { result: job.waitUntilFinished(events), effects, runs: () => runs }
  }

  test('BullMQ: a job whose worker was killed behind a step is finished by another, and the step is not done again', async () => {
    const { result, effects } = await redelivered('killed', 'step')
    expect(await result).toBe('attempt 2')
    expect(effects()).toEqual(['book'])
  })

  test('BullMQ: a job whose worker was killed inside a step fails with an unknown outcome, and is not tried again', async () => {
    const { result, effects, runs } = await redelivered('unknown', 'effect')
    await expect(result).rejects.toThrow(/outcome of this key is unknown/)
    expect(runs()).toBe(1)
    expect(effects()).toEqual(['book'])
  })
}
