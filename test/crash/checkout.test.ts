// A part of the points; checkout.long.ts takes all of them.
import { afterAll } from 'vitest'
import { startMariaDb, startPostgres, startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { killCases } from './checkout/kill-cases.ts'
import { CheckoutSite } from './checkout/site.ts'
import { stopCases } from './checkout/stop-cases.ts'

const leaseMs = 800
/** A process that is only slow keeps it. */
const longerLeaseMs = 2_000
const options = { everyPoints: { rerun: 14, refuse: 24 }, timeoutMs: 120_000 }

const postgres = await servers(() => startPostgres())
if (postgres !== undefined) {
  afterAll(() => postgres.stop())
  killCases('SQLite and Postgres', () => CheckoutSite.onPostgres(postgres.url, leaseMs), options)
  // After the end of the charge: BEGIN, INSERT, the last statement.
  const points = { inFunction: 3, behindFence: 4 }
  stopCases('SQLite and Postgres', () => CheckoutSite.onPostgres(postgres.url, longerLeaseMs), points)
}

const both = await servers(() => Promise.all([startMariaDb(), startRedis()]))
if (both !== undefined) {
  const [mariaDb, redis] = both
  afterAll(() => Promise.all([mariaDb.stop(), redis.stop()]))
  killCases('Redis and MariaDB', () => CheckoutSite.onMariaDb(mariaDb.url, redis.url, leaseMs), options)
  // After the end of the charge: SET, START TRANSACTION, INSERT, the last statement.
  const points = { inFunction: 4, behindFence: 5 }
  stopCases('Redis and MariaDB', () => CheckoutSite.onMariaDb(mariaDb.url, redis.url, longerLeaseMs), points)
}
