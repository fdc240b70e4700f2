// A part of the points; checkout.long.ts takes all of them.
import { afterAll } from 'vitest'
import { startMariaDb, startPostgres, startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { forgetCase } from './checkout/forget-cases.ts'
import { killCases } from './checkout/kill-cases.ts'
import { CheckoutSite } from './checkout/site.ts'
import { stopCases } from './checkout/stop-cases.ts'

const leaseMs = 800
/** A process that is only slow keeps it. */
const longerLeaseMs = 2_000
const options = { everyPoints: { rerun: 24, refuse: 40 }, timeoutMs: 120_000 }

const started = await servers(() => Promise.all([startPostgres(), startMariaDb(), startRedis()]))
if (started !== undefined) {
  const [postgres, mariaDb, redis] = started
  afterAll(() => Promise.all(started.map((server) => server.stop())))

  killCases('SQLite and Postgres', () => CheckoutSite.onPostgres(postgres.url, leaseMs), options)
  // After the end of the charge: BEGIN, INSERT, the last statement.
  const postgresPoints = { inFunction: 3, behindFence: 4 }
  const onPostgres = () => CheckoutSite.onPostgres(postgres.url, longerLeaseMs)
  stopCases('SQLite and Postgres', onPostgres, postgresPoints)
  forgetCase('Postgres', redis.url, () => CheckoutSite.onPostgres(postgres.url, longerLeaseMs, redis.url))

  killCases('Redis and MariaDB', () => CheckoutSite.onMariaDb(mariaDb.url, redis.url, leaseMs), options)
  // After the end of the charge: SET, START TRANSACTION, INSERT, the last statement.
  const mariaDbPoints = { inFunction: 4, behindFence: 5 }
  const onMariaDb = () => CheckoutSite.onMariaDb(mariaDb.url, redis.url, longerLeaseMs)
  stopCases('Redis and MariaDB', onMariaDb, mariaDbPoints)
}
