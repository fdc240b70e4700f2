// Every point at which the checkout can be ended.
import { afterAll } from 'vitest'
import { startMariaDb, startPostgres, startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { killCases } from './checkout/kill-cases.ts'
import { CheckoutSite } from './checkout/site.ts'

const leaseMs = 1_500
const options = { everyPoints: { rerun: 1, refuse: 1 }, timeoutMs: 900_000 }

const postgres = await servers(() => startPostgres())
if (postgres !== undefined) {
  afterAll(() => postgres.stop())
  killCases('SQLite and Postgres', () => CheckoutSite.onPostgres(postgres.url, leaseMs), options)
}

const both = await servers(() => Promise.all([startMariaDb(), startRedis()]))
if (both !== undefined) {
  const [mariaDb, redis] = both
  afterAll(() => Promise.all([mariaDb.stop(), redis.stop()]))
  killCases('Redis and MariaDB', () => CheckoutSite.onMariaDb(mariaDb.url, redis.url, leaseMs), options)
}
