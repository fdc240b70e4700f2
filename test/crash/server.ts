// An orders API on Express, in a process that can be killed and stopped at a chosen moment.
// Its effects go to a ledger outside the store: one line for each charge, on disk before anything else happens.
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'
import express from 'express'
import { idempotency } from '../../src/adapters/express.ts'
import { storeOf } from './store-of.ts'

export interface ServerSetup {
  readonly store: string
  readonly ledger: string
  readonly leaseMs: number
  readonly recovery: 'refuse' | 'rerun' | 'ask-ledger'
  readonly wait?: boolean
}

export interface OrderRequest {
  readonly intent: string
  readonly delayMs?: number
  /** What this process does to itself, and when. Retries send the same body, so it happens on attempt 1 only. */
  readonly accident?: { readonly signal: 'SIGKILL' | 'SIGSTOP'; readonly at: Moment }
}

export type Moment = 'before-effect' | 'after-effect' | 'after-record'

const setup = JSON.parse(process.argv[2] ?? '{}') as ServerSetup
const accidentsAfterRecord = new Map<string, NodeJS.Signals>()

const records = storeOf(setup.store)
const once = idempotency({
  store: records.store,
  scope: false,
  lease: setup.leaseMs,
  // A busy machine is not what these cases are about.
  storeTimeout: '10s',
  concurrent: setup.wait === true ? { wait: '20s' } : 'reject',
  recovery:
    setup.recovery === 'ask-ledger'
      ? ({ key }) =>
          charges().includes(key) ? { status: 201, body: { charged: key, found: true } } : 'rerun'
      : setup.recovery,
  on(event) {
    if (event.type !== 'completed') return
    const signal = accidentsAfterRecord.get(event.key)
    if (signal !== undefined) process.kill(process.pid, signal)
  },
})

const app = express()
app.use(once, express.json())
app.post('/orders', async (req, res) => {
  const { intent, delayMs = 0, accident } = req.body as OrderRequest
  const mine = req.idempotency.attempt === 1 ? accident : undefined
  if (mine?.at === 'before-effect') await suffer(mine.signal)
  charge(intent)
  if (mine?.at === 'after-effect') await suffer(mine.signal)
  if (mine?.at === 'after-record') accidentsAfterRecord.set(intent, mine.signal)
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  res.status(201).json({ charged: intent, by: process.pid, attempt: req.idempotency.attempt })
})

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.(address?.port)
})

process.once('SIGTERM', () => {
  process.disconnect?.()
  server.close(() => void once.close().then(records.close))
  server.closeIdleConnections()
})

function charge(intent: string): void {
  const file = openSync(setup.ledger, 'a')
  writeSync(file, `${intent}\n`)
  fsyncSync(file)
  closeSync(file)
}

function charges(): string[] {
  return readFileSync(setup.ledger, 'utf8').split('\n')
}

/** The signal is delivered at some point after the call; nothing else may happen in between. */
async function suffer(signal: NodeJS.Signals): Promise<void> {
  process.kill(process.pid, signal)
  await new Promise((resolve) => setTimeout(resolve, 20))
}
