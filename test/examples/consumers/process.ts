// A consumer that a test kills: `node process.ts '{"broker": "amqp://…", …}'`. It tells its parent where it stands.
import { appendFileSync } from 'node:fs'
import { connect } from 'amqplib'
import { Worker } from 'bullmq'
import type { RunContext } from 'hapax'
import { processOnce } from '../../../examples/recipes/bullmq.ts'
import { consumeOnce } from '../../../examples/recipes/rabbitmq.ts'
import { createIdempotency } from '../../../src/index.ts'
import { storeOf } from '../../crash/store-of.ts'

export interface ConsumerSetup {
  /** `amqp://…` or `redis://…`. */
  readonly broker: string
  readonly records: string
  readonly queue: string
  /** A file with a line for each effect. */
  readonly ledger: string
  /** Where it stops, for good: after the effect with its step open, or behind the step. */
  readonly stopsAt: 'effect' | 'step'
}

export interface Order {
  readonly item: string
}

// Written by the test that starts this process.
const setup = JSON.parse(process.argv[2] ?? '') as ConsumerSetup
const once = createIdempotency({ store: storeOf(setup.records).store })

async function work({ item }: Order, { step }: RunContext): Promise<string> {
  await step('charge', async () => {
    appendFileSync(setup.ledger, `${item}\n`)
    if (setup.stopsAt === 'effect') await stopHere()
  })
  return stopHere()
}

function stopHere(): Promise<never> {
  process.send?.('stopped')
  return new Promise(() => {})
}

const options = { lease: '1s' } as const
if (setup.broker.startsWith('amqp:')) {
  const connection = await connect(setup.broker)
  await consumeOnce<Order>(await connection.createChannel(), once, setup.queue, work, options)
} else {
  const { hostname: host, port } = new URL(setup.broker)
  const worker = new Worker<Order, string>(setup.queue, processOnce(once, setup.queue, work, options), {
    connection: { host, port: Number(port) },
    lockDuration: 1_000,
    // Whoever looks last for stalled jobs says when the next look is.
    stalledInterval: 500,
  })
  await worker.waitUntilReady()
}
