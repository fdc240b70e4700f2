// The checkout of examples/, in a process that can be ended at any of its calls.
import type { RequestHandler } from 'express'
import { checkout, type Orders } from '../../../examples/checkout/app.ts'
import { mailAt, paymentsAt } from '../../../examples/checkout/services.ts'
import { idempotency } from '../../../src/adapters/express.ts'
import type { Journal } from '../../../src/core/journal.ts'
import type { Store } from '../../../src/core/store.ts'
import { arm, type PointSettings, withPoints } from './points.ts'

export interface CheckoutSetup {
  readonly kind: 'postgres' | 'mariadb'
  /** A file of SQLite, or the URL of a Redis. */
  readonly records: string
  readonly database: string
  readonly services: string
  readonly recovery: 'refuse' | 'rerun'
  readonly leaseMs: number
  readonly points?: PointSettings
}

const setup = JSON.parse(process.argv[2] ?? '{}') as CheckoutSetup

// Only what is used: many of these processes start one after the other.
const app = setup.kind === 'postgres' ? await onPostgres() : await onMariaDb()

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.(address?.port)
})
// Counted from the first request on: what a process does while it starts is not what this is about.
server.prependListener('request', () => {
  if (setup.points !== undefined) arm(setup.points)
})
// A test that was given up has left.
process.on('disconnect', () => process.exit())

async function onPostgres() {
  const { Pool } = await import('pg')
  const { postgresOrders } = await import('../../../examples/checkout/orders.ts')
  const { postgresJournal } = await import('../../../src/journal/postgres.ts')
  const journal = postgresJournal(new Pool({ connectionString: setup.database }), { lockTimeout: '8s' })
  return checkoutOn(await openRecords(), journal, postgresOrders)
}

async function onMariaDb() {
  const { createPool } = await import('mysql2/promise')
  const { mariaDbOrders } = await import('../../../examples/checkout-mariadb/orders.ts')
  const { mysqlJournal } = await import('../../../src/journal/mysql.ts')
  const journal = mysqlJournal(createPool({ uri: setup.database }), { lockTimeout: '8s' })
  return checkoutOn(await openRecords(), journal, mariaDbOrders)
}

async function openRecords(): Promise<Store> {
  if (!setup.records.startsWith('redis:')) {
    const { sqliteStore } = await import('../../../src/stores/sqlite.ts')
    return sqliteStore(setup.records, { busyTimeout: '8s' })
  }
  const { Redis } = await import('ioredis')
  const { redisStore } = await import('../../../src/stores/redis.ts')
  return redisStore(new Redis(setup.records), { silence: ['redis-not-persistent'] })
}

function checkoutOn<Transaction>(store: Store, journal: Journal, orders: Orders<Transaction>) {
  const once: RequestHandler = idempotency({
    store: withPoints(store),
    journal,
    scope: false,
    required: true,
    recovery: setup.recovery,
    lease: setup.leaseMs,
    // A busy machine is not what this is about.
    storeTimeout: '10s',
  })
  return checkout({ once, orders, payments: paymentsAt(setup.services), mail: mailAt(setup.services) })
}
