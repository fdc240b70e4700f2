// An orders API on Express in a process of its own, to be killed, stopped and misled. Its effects are lines in a ledger
// outside the store. It speaks as the servers of bench/peers do, so that the same harness judges those.
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import { openStore } from './open-store.ts'
import { releaseAt } from './release.ts'
import { type Order, type ServerSetup, setupVariable } from './setup.ts'

const environment = process.env
const setup = JSON.parse(environment[setupVariable] ?? '{}') as ServerSetup
const ledger = environment['LEDGER'] ?? ''

const hapax = await releaseAt(setup.release)
const records = await openStore(hapax, setup.store)
const once = hapax.idempotency({
  store: records.store,
  scope: false,
  lease: setup.leaseMs,
  storeTimeout: setup.storeTimeoutMs,
  // What it has to say about the store is what this run is about.
  logger: { warn() {} },
})

let isEnding = false
const app = express()
app.use((_req, res, next) => {
  // Clients that keep their connection would keep a server that wants to end.
  if (isEnding) res.set('Connection', 'close')
  next()
})
app.use(once, express.json())
app.post('/orders', async (req, res) => {
  await sleep(setup.handlerMs)
  appendFileSync(ledger, `${req.body.marker}\n`)
  await sleep(setup.handlerMs)
  res.status(201).json({ id: randomUUID() })
})

const server = app.listen(Number(environment['PORT']), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.(address?.port)
})

process.on('message', (message) => {
  // Only the harness holds the other end.
  const order = message as Order
  switch (order.order) {
    case 'jump-clock':
      jumpClock(order.byMs)
      break
    case 'hold-connections':
      void records.holdConnections(order.forMs)
      break
  }
})
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => {
  isEnding = true
  server.close(
    () =>
      void once
        .close()
        .then(records.close)
        .then(() => process.exit()),
  )
  server.closeIdleConnections()
})

/** As when somebody sets the machine's clock: `Date.now()` jumps, timers and `performance.now()` go on. */
function jumpClock(byMs: number): void {
  const now = Date.now
  Date.now = () => now() + byMs
}
