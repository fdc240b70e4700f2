// The same checkout with records in Redis, and orders and journal in MariaDB. See ../checkout/README.md.
import { idempotency } from 'hapax/express'
import { mysqlJournal } from 'hapax/journal'
import { redisStore } from 'hapax/redis'
import { Redis } from 'ioredis'
import { createPool } from 'mysql2/promise'
import { checkout } from '../checkout/app.ts'
import { mailAt, paymentsAt } from '../checkout/services.ts'
import { createOrders, mariaDbOrders } from './orders.ts'

const { DATABASE_URL, REDIS_URL, SERVICES_URL = 'http://127.0.0.1:4000', PORT = '3000' } = process.env
const redis = new Redis(REDIS_URL ?? 'redis://127.0.0.1:6379')
const pool = createPool({ uri: DATABASE_URL ?? 'mysql://root@127.0.0.1:3306/shop' })
await pool.query(createOrders)

const once = idempotency({
  store: redisStore(redis),
  journal: mysqlJournal(pool),
  scope: false,
  required: true,
  recovery: 'rerun',
})
const app = checkout({
  once,
  orders: mariaDbOrders,
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
  redis.disconnect()
}
