// The checkout with records in SQLite, and orders and journal in Postgres. See README.md beside it.
import { idempotency } from 'hapax/express'
import { postgresJournal } from 'hapax/journal'
import { sqliteStore } from 'hapax/sqlite'
import { Pool } from 'pg'
import { checkout } from './app.ts'
import { createOrders, postgresOrders } from './orders.ts'
import { mailAt, paymentsAt } from './services.ts'

const {
  DATABASE_URL,
  RECORDS = 'records.db',
  SERVICES_URL = 'http://127.0.0.1:4000',
  PORT = '3000',
} = process.env
const pool = new Pool({ connectionString: DATABASE_URL })
await pool.query(createOrders)

const once = idempotency({
  store: sqliteStore(RECORDS),
  journal: postgresJournal(pool),
  scope: false,
  required: true,
  // The handler may run again after a crash: all that it does are steps.
  recovery: 'rerun',
})
const app = checkout({
  once,
  orders: postgresOrders,
  payments: paymentsAt(SERVICES_URL),
  mail: mailAt(SERVICES_URL),
})

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') console.log(`http://127.0.0.1:${address?.port}/orders`)
})
process.once('SIGTERM', () => server.close(() => void close()))

async function close(): Promise<void> {
  await once.close()
  await pool.end()
}
