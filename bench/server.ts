// One Express server in a process of its own, so that its CPU time is the server's alone.
import express from 'express'
import { idempotency } from '../src/adapters/express.ts'
import type { Store } from '../src/core/store.ts'
import { memoryStore } from '../src/stores/memory.ts'
import { sqliteStore } from '../src/stores/sqlite.ts'

const [storeName = 'none', file = ''] = process.argv.slice(2)
const stores: Record<string, (() => Store) | undefined> = {
  memory: () => memoryStore({ maxRecords: 10_000_000, maxBytes: 8 * 1024 ** 3 }),
  sqlite: () => sqliteStore(file),
}

const app = express()
const createStore = stores[storeName]
if (createStore !== undefined) app.use(idempotency({ store: createStore(), scope: false }))
app.use(express.json())
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

function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
