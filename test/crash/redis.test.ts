import { afterAll } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { crashCases } from './crash-cases.ts'

const server = await servers(() => startRedis({}))

if (server !== undefined) {
  afterAll(() => server.stop())
  crashCases('one Redis', () => server.url)
}
