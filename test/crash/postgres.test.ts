import { afterAll } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { crashCases } from './crash-cases.ts'

const server = await servers(() => startPostgres())

if (server !== undefined) {
  afterAll(() => server.stop())
  const { schema } = placeOf(server.url)
  crashCases('one Postgres', () => `${server.url}?schema=${encodeURIComponent(schema)}`)
}
